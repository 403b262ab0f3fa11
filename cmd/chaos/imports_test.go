//go:build unix

// The chaos test judges by a hand of its own: it takes nothing from those whose work it judges.

package main

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestTheTortureRunHasItsOwnHand(t *testing.T) {
	files, err := filepath.Glob("*.go")
	below, berr := filepath.Glob("*/*.go")
	if files = append(files, below...); err != nil || berr != nil || len(below) == 0 {
		t.Fatal(len(files), err, berr)
	}
	allowed := []string{"protocolq/worker/querylog/database"}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(path, "protocolq/worker") && !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, path)
			}
			if above(filepath.Dir(name), path) {
				t.Errorf("%s imports %s, which stands above it", name, path)
			}
		}
	}
}

// above reports whether a package of the chaos test stands no lower than the folder that imports
// it.
func above(folder, path string) bool {
	rooms := []string{"verdict", "testbed", "scenario", "."}
	room, ok := strings.CutPrefix(path, "protocolq/cmd/chaos/")
	return ok && slices.Index(rooms, room) >= slices.Index(rooms, folder)
}
