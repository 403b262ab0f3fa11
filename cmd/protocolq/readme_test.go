// What the README says is true: its size, its quick start, which a script executes, its example
// in Go, and its Chinese translation. The same goes for the settings table of deploy.

package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/cmd/protocolq/settings"
)

const chinese = "deploy/docs/zh/README.md"

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// readPage reads a page by its path from the top of the tree.
func readPage(t *testing.T, path string) string {
	t.Helper()
	return readText(t, filepath.Join(top, filepath.FromSlash(path)))
}

func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(readPage(t, "README.md"), "\n"); n > 130 {
		t.Errorf("the README has %d lines, at most 130 are read in two minutes", n)
	}
}

var update = flag.Bool("update", false, "write the settings table of deploy/README.md anew")

var settingsTable = regexp.MustCompile(`(?s)\n\n\| flag \| variable \|.*?\n\n`)

func TestSettingsPage(t *testing.T) {
	page := readPage(t, "deploy/README.md")
	want := settingsTable.ReplaceAllLiteralString(page, "\n\n"+settings.Markdown()+"\n")
	switch {
	case len(settingsTable.FindAllString(page, -1)) != 1:
		t.Error("deploy/README.md has no settings table, or more than one")
	case *update:
		if err := os.WriteFile(filepath.Join(top, "deploy", "README.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case page != want:
		t.Errorf("deploy/README.md has another settings table than the program (-update writes it): -page +program\n%s", cmp.Diff(page, want))
	}
}

// What a page shows for pasting is executed unchanged: the script has each of its commands and
// settings, in the same order.
func TestPagesAreExecuted(t *testing.T) {
	for _, p := range []struct {
		page, script, title string
		least               int
	}{
		{"README.md", "quickstart.txtar", "## Quick start", 9},
		{"deploy/README.md", "onemachine.txtar", "## From one machine to a cluster", 5},
		{"messages/README.md", "deadletters.txtar", "## Dead letters", 4},
	} {
		script := readText(t, filepath.Join("testdata", "script", p.script))
		_, section, found := strings.Cut(readPage(t, p.page), p.title)
		if !found {
			t.Errorf("%s has no section %q", p.page, p.title)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		section, _, _ = strings.Cut(section, "**More workers.**")
		steps := scriptSteps(section)
		for _, step := range steps {
			_, after, ok := strings.Cut(script, step)
			if !ok {
				t.Errorf("%s does not execute %q, or not in the order of %s", p.script, step, p.page)
				continue
			}
			script = after
		}
		if len(steps) < p.least {
			t.Errorf("only %d commands and settings found in %s", len(steps), p.page)
		}
	}
}

// scriptSteps returns the commands and settings that a section says to type, as a script writes
// them.
func scriptSteps(section string) []string {
	var steps []string
	lines, _ := pageCode(section)
	for _, line := range lines {
		line = strings.TrimSuffix(line, " &")
		line = strings.NewReplacer("$PWD", "$WORK", "2088…", "2088000000000001").Replace(line)
		if strings.HasPrefix(line, "protocolq ") {
			steps = append(steps, " "+line)
		}
		if settings, ok := strings.CutPrefix(line, "export PROTOCOLQ_"); ok {
			for setting := range strings.FieldsSeq("PROTOCOLQ_" + settings) {
				steps = append(steps, "env "+setting)
			}
		}
	}
	return steps
}

var fence = regexp.MustCompile("(?s)```(\\w*)\n(.*?)```")

// blocks returns the fenced blocks of a page in one language, those of a shell without
// comments.
func blocks(page, language string) (found []string) {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		if m[1] != language {
			continue
		}
		text := m[2]
		if language == "sh" {
			lines := strings.Split(text, "\n")
			for i := range lines {
				line, _, _ := strings.Cut(lines[i], " #")
				lines[i] = strings.TrimSpace(line)
			}
			text = strings.Join(lines, "\n")
		}
		found = append(found, text)
	}
	return found
}

// The Chinese page has the same commands and programs in the same order, and links to the same
// pages.
func TestChinesePage(t *testing.T) {
	english, twin := readPage(t, "README.md"), readPage(t, chinese)
	for _, language := range []string{"sh", "go", "js"} {
		if diff := cmp.Diff(blocks(english, language), blocks(twin, language)); diff != "" {
			t.Errorf("the Chinese page has other %s than the README: -README +Chinese\n%s", language, diff)
		}
	}
	if diff := cmp.Diff(linked(english, "README.md"), linked(twin, chinese)); diff != "" {
		t.Errorf("the Chinese page has other links than the README: -README +Chinese\n%s", diff)
	}
}

// linked returns the files that a page links to, except the README and its translation.
func linked(page, path string) (to []string) {
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		file := filepath.ToSlash(filepath.Join(filepath.Dir(filepath.FromSlash(path)), filepath.FromSlash(m[1])))
		if file != "README.md" && file != chinese {
			to = append(to, file)
		}
	}
	slices.Sort(to)
	return slices.Compact(to)
}

// The example in Go is the one that the package's own test runs.
func TestReadmeGo(t *testing.T) {
	examples := readPage(t, "messages/ask/example_test.go")
	found := blocks(readPage(t, "README.md"), "go")
	if len(found) != 1 {
		t.Fatalf("%d examples in Go in the README", len(found))
	}
	for line := range strings.SplitSeq(strings.TrimSpace(found[0]), "\n") {
		_, after, ok := strings.Cut(examples, "\t"+line+"\n")
		if !ok {
			t.Errorf("messages/ask/example_test.go does not run %q, or not in this order", line)
			continue
		}
		examples = after
	}
}
