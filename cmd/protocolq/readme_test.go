// What the README says is so: its settings table, its size, and its quick start, which a script executes.
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
	for _, line := range strings.Split(strings.TrimSpace(settingsTable(append((&Config{}).table(), (&recordConfig{}).settings()...))), "\n") {
		if !strings.Contains(readme, line+"\n") {
			t.Errorf("the README's settings table lacks the line\n%s", line)
		}
	}
}

// The quick start is executed as it stands: each of its commands is in the script.
func TestQuickStartIsExecuted(t *testing.T) {
	readme := readText(t, filepath.Join("..", "..", "README.md"))
	script := readText(t, filepath.Join("testdata", "script", "quickstart.txtar"))
	_, section, _ := strings.Cut(readme, "## Quick start")
	section, _, _ = strings.Cut(section, "\n## ")
	found := 0
	for _, line := range strings.Split(section, "\n") {
		command, _ := strings.CutSuffix(strings.TrimSpace(line), " &")
		if !strings.HasPrefix(command, "protocolq ") {
			continue
		}
		found++
		if !strings.Contains(script, " "+command) {
			t.Errorf("quickstart.txtar does not execute %q", command)
		}
	}
	if found < 5 {
		t.Errorf("only %d commands found in the README's quick start", found)
	}
}
