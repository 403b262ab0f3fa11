// What the README says is so: its size, and its quick start, which a script executes.
package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReadme(t *testing.T) {
	readme := readText(t, filepath.Join("..", "..", "README.md"))
	if n := strings.Count(readme, "\n"); n > 200 {
		t.Errorf("the README has %d lines, at most 200 are read", n)
	}
}

// What is there to be pasted is executed as it stands: the script has each of its commands and settings, in the same order.
func TestQuickStartIsExecuted(t *testing.T) {
	readme := readText(t, filepath.Join("..", "..", "README.md"))
	script := readText(t, filepath.Join("testdata", "script", "quickstart.txtar"))
	found := 0
	for _, title := range []string{"## Quick start", "## What happened to this query?"} {
		_, section, _ := strings.Cut(readme, title)
		section, _, _ = strings.Cut(section, "\n## ")
		for _, step := range scriptSteps(section) {
			found++
			_, after, ok := strings.Cut(script, step)
			if !ok {
				t.Errorf("quickstart.txtar does not execute %q, or not in the README's order", step)
				continue
			}
			script = after
		}
	}
	if found < 11 {
		t.Errorf("only %d commands and settings found in the README", found)
	}
}

// scriptSteps are the commands and settings that a section of the README says to type, in a script's words.
func scriptSteps(section string) []string {
	var steps []string
	for line := range strings.SplitSeq(section, "\n") {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimSuffix(strings.TrimSpace(line), " &")
		if strings.HasPrefix(line, "protocolq ") {
			steps = append(steps, " "+line)
		}
		if settings, ok := strings.CutPrefix(line, "export PROTOCOLQ_"); ok {
			for setting := range strings.FieldsSeq("PROTOCOLQ_" + settings) {
				steps = append(steps, "env "+strings.ReplaceAll(setting, "$PWD", "$WORK"))
			}
		}
	}
	return steps
}
