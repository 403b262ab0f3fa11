// Numbers with their nouns, and words for a shell.

package cli

import "testing"

func TestCounted(t *testing.T) {
	for n, want := range map[int64]string{0: "0 rows", 1: "1 row", 2: "2 rows", 1234: "1,234 rows"} {
		if got := Counted(n, "row", "rows"); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestShellWord(t *testing.T) {
	for s, want := range map[string]string{"sqlite:///a/log.db": "sqlite:///a/log.db", "/a b": "'/a b'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'"} {
		if got := ShellWord(s); got != want {
			t.Errorf("%q: %s", s, got)
		}
	}
}
