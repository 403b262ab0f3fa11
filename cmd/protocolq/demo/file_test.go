// A file of queries: what is read from a line, and which faults are reported.

package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadDemo(t *testing.T) {
	for text, want := range map[string]string{
		`{"from":"till","query":{"user_email":"a@example.com"}}` + "\n" + `{"raw":"x"}`: "",
		"":                      "holds no query",
		`{"nobody":1}`:          "unknown field",
		`{"query":{"emall":1}}`: "emall",
		`{"query":{"user_email":"a@example.com"},"encoding":"xml"}`: "must be json or msgpack",
	} {
		path := filepath.Join(t.TempDir(), "queries.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		lines, err := readDemo([]string{path})
		switch {
		case want == "" && (err != nil || len(lines) != 2 || lines[0].from != "till" || lines[1].from != "asker"):
			t.Errorf("%q: %+v, %v", text, lines, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if lines, err := readDemo(nil); err != nil || len(lines) == 0 {
		t.Errorf("its own queries: %d, %v", len(lines), err)
	}
}
