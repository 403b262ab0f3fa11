// Comments are often read side by side with other text, so none is wider than half a screen.

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestComments requires comments of at most 100 columns, in tests too. Directives are exempt,
// and so are diagrams and examples, which stand behind a tab.
func TestComments(t *testing.T) {
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.path, "example_test.go") {
			continue // the expected output of an example must stay unwrapped in its comment
		}
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(f.path)))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			comment, ok := strings.CutPrefix(strings.TrimLeft(line, "\t"), "// ")
			if n := utf8.RuneCountInString(line); ok && n > 100 {
				t.Errorf("%s:%d: a comment of %d columns: %s", f.path, i+1, n, comment)
			}
		}
	}
}
