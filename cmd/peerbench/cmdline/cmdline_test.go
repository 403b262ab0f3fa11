package cmdline_test

import (
	"slices"
	"testing"

	"protocolq/cmd/peerbench/cmdline"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                     nil,
		" \t\n":                nil,
		"a  b":                 {"a", "b"},
		`mine -cmd "x 'y z'"`:  {"mine", "-cmd", "x 'y z'"},
		`sh -c 'a "b" c' end`:  {"sh", "-c", `a "b" c`, "end"},
		`an empty "" stays ''`: {"an", "empty", "", "stays", ""},
		`glued"to gether"`:     {"gluedto gether"},
	} {
		if got := cmdline.Split(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
