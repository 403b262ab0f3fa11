// What the pages say is true: their commands, flags, make targets and links exist.

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
)

// top is the top of the tree.
var top = filepath.Join("..", "..")

// pages are all Markdown files of the tree, by their path from its top.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == "bin" || name == "node_modules"):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".md"):
			rel, err := filepath.Rel(top, path)
			if err != nil {
				return err
			}
			found[filepath.ToSlash(rel)] = readText(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d pages found", len(found))
	}
	return found
}

// pageCode returns the code of a page: the lines of its fenced and indented blocks, without
// their comments, and the text between single backticks elsewhere.
func pageCode(page string) (lines, spans []string) {
	fenced := false
	for line := range strings.SplitSeq(page, "\n") {
		switch indented := strings.HasPrefix(line, "    "); {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced || indented:
			line, _, _ = strings.Cut(line, " #")
			lines = append(lines, strings.TrimSpace(line))
		default:
			parts := strings.Split(line, "`")
			for i := 1; i < len(parts)-1; i += 2 {
				spans = append(spans, parts[i])
			}
		}
	}
	return lines, spans
}

var (
	ownCommand = regexp.MustCompile(`(?:^|[;&|({] *|\b[A-Z_]+=\S+ )(protocolq [a-z-].*)`)
	makeTarget = regexp.MustCompile(`(?:^|&& )make ([a-z]+)`)
	quotedWord = regexp.MustCompile(`"[^"]*"|'[^']*'`)
)

// TestPagesCommands checks that every command of the program that a page names exists, with its
// flags, and so does every make target.
func TestPagesCommands(t *testing.T) {
	targets := readText(t, filepath.Join(top, "Makefile"))
	commands := 0
	for path, page := range pages(t) {
		if path == "CHANGELOG.md" { // it also describes what no longer exists
			continue
		}
		lines, spans := pageCode(page)
		for _, code := range slices.Concat(lines, spans) {
			if m := ownCommand.FindStringSubmatch(code); m != nil {
				commands++
				if err := checkCommand(m[1]); err != nil {
					t.Errorf("%s: %s: %v", path, m[1], err)
				}
			}
			for _, m := range makeTarget.FindAllStringSubmatch(code, -1) {
				if !strings.Contains(targets, "\n"+m[1]+":") {
					t.Errorf("%s: make %s is not there", path, m[1])
				}
			}
		}
	}
	if commands < 50 {
		t.Errorf("only %d commands found", commands)
	}
}

// checkCommand reports what is wrong with a command line of a page.
func checkCommand(line string) error {
	words := strings.Fields(quotedWord.ReplaceAllString(line, "VALUE"))
	if end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], "|;&>)") || w == "--" }); end > 0 {
		words = words[:end]
	}
	reached := false
	c, rest, err := newRoot(&reached).Find(words[1:])
	if err != nil {
		return err
	}
	if c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("%s has no command %s", c.CommandPath(), rest[0])
	}
	for _, w := range rest {
		if err := checkFlag(c, strings.TrimRight(w, ",.;:")); err != nil {
			return err
		}
	}
	return nil
}

func checkFlag(c *cobra.Command, word string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	switch {
	case name == "help" || !strings.HasPrefix(word, "-") || name == "":
		return nil
	case strings.HasPrefix(word, "--"):
		if c.Flag(name) == nil {
			return fmt.Errorf("%s has no flag --%s", c.CommandPath(), name)
		}
	case c.Flags().ShorthandLookup(name) == nil:
		return fmt.Errorf("%s has no flag -%s", c.CommandPath(), name)
	}
	return nil
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestPagesLinks checks that the files and headings of the tree that the pages link to exist.
func TestPagesLinks(t *testing.T) {
	links := 0
	for path, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			file, heading, _ := strings.Cut(m[1], "#")
			to := filepath.Join(top, filepath.FromSlash(path))
			if file != "" {
				to = filepath.Join(filepath.Dir(to), filepath.FromSlash(file))
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			} else if heading != "" && !slices.Contains(headings(readText(t, to)), heading) {
				t.Errorf("%s links to %s: there is no such heading", path, m[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links found", links)
	}
}

var noSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// headings returns the names by which links refer to the headings of a page.
func headings(page string) (slugs []string) {
	for line := range strings.SplitSeq(page, "\n") {
		if title := strings.TrimLeft(line, "#"); title != line {
			slug := noSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			slugs = append(slugs, strings.ReplaceAll(slug, " ", "-"))
		}
	}
	return slugs
}

var release = regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+) - \d{4}-\d{2}-\d{2}$`)

// The newest version in the changelog is the program's.
func TestChangelogHasTheVersion(t *testing.T) {
	changelog := readPage(t, "CHANGELOG.md")
	if m := release.FindStringSubmatch(changelog); m == nil || m[1] != cli.Version() {
		t.Errorf("CHANGELOG.md has %q as its newest version, the program is %s", m, cli.Version())
	}
	if !strings.Contains(changelog, "\n## Unreleased\n") {
		t.Error("CHANGELOG.md has no heading Unreleased")
	}
}
