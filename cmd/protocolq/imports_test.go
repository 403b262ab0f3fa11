// The floors of the house: who may import whom, who may read settings, and how long a file and a
// function may get.
package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	natsGo  = "github.com/nats-io/nats.go"
	msgpack = "github.com/vmihailenco/msgpack/v5"
)

// floors says what each package below cmd, and each mechanism within it, may import beside the
// standard library; a new package needs a line here. Low floors know one library each and of ours
// at most failpoint, pack, publish or messages, so that each can be read, tested and replaced
// alone. .golangci.yml holds the same for editors.
var floors = map[string]struct {
	imports []string
	http    bool // may speak HTTP
	env     bool // may read its environment
}{
	"cmd/protocolq/bench":      {imports: []string{"github.com/HdrHistogram/hdrhistogram-go"}}, // the schedule: knows no NATS
	"messages":                 {imports: []string{msgpack}},
	"messages/ask":             {imports: []string{natsGo, "protocolq/messages"}}, // what Go callers use
	"gateway/mapi":             {imports: []string{"golang.org/x/text"}},
	"gateway":                  {imports: []string{"golang.org/x/net/http/httpproxy", "golang.org/x/net/proxy", "protocolq/gateway/keyfile", "protocolq/gateway/mapi"}, http: true},
	"gateway/keyfile":          {},                                                        // files, not keys: NATS seeds and the log's key come through it, too
	"gateway/simulator":        {imports: []string{"protocolq/gateway/mapi"}, http: true}, // never gateway: a client's bug must not be shared by its judge
	"worker/retry":             {imports: []string{"github.com/cenkalti/backoff/v4"}},
	"worker/limit":             {},
	"worker/pack":              {},
	"worker/flight":            {imports: []string{"protocolq/worker/fleet", "protocolq/worker/journal", "protocolq/worker/memory"}},
	"worker/dedupe":            {imports: []string{"protocolq/worker/failpoint", "protocolq/worker/pack", "protocolq/worker/record"}},
	"worker/fleet":             {imports: []string{"protocolq/worker/journal", "protocolq/worker/memory"}},
	"worker/memory":            {imports: []string{"protocolq/worker/journal"}},
	"worker/publish":           {imports: []string{natsGo}},
	"worker/record":            {imports: []string{natsGo, "protocolq/worker/publish"}},
	"worker/journal":           {imports: []string{natsGo, "protocolq/worker/pack", "protocolq/worker/publish"}}, // NATS in nats.go only
	"worker/outbox":            {imports: []string{natsGo, "protocolq/messages", "protocolq/worker/journal", "protocolq/worker/publish", "protocolq/worker/querylog"}},
	"worker/failpoint":         {env: true}, // empty but for the torture chamber's own build tag
	"worker/partner":           {imports: []string{"protocolq/worker/limit", "protocolq/worker/record"}},
	"worker/provision":         {imports: []string{natsGo, "protocolq/messages"}},
	"worker/querylog":          {imports: []string{natsGo, "protocolq/messages", "protocolq/worker/pack", "protocolq/worker/publish"}}, // the masks, and the stream that the recorder reads
	"worker/querylog/database": {imports: []string{"github.com/jackc/pgx/v5", "modernc.org/sqlite", "protocolq/worker/querylog"}},
	"worker": {imports: []string{natsGo, "github.com/nats-io/nuid", "golang.org/x/sync/errgroup",
		"protocolq/messages", "protocolq/gateway", "protocolq/gateway/mapi", "protocolq/worker/retry", "protocolq/worker/dedupe", "protocolq/worker/failpoint", "protocolq/worker/limit", "protocolq/worker/pack", "protocolq/worker/partner", "protocolq/worker/publish", "protocolq/worker/querylog", "protocolq/worker/record"}},

	// In worker/journal only nats.go knows NATS.
	"worker/journal/journaltest": {imports: []string{"protocolq/worker/journal"}}, // a log for tests that goes wrong on purpose
}

func TestFloors(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		seen[f.dir] = true
		floor, known := floors[f.dir]
		if !known && strings.HasPrefix(f.dir, "cmd/") {
			continue // the top floor: may import all, and nobody imports it
		}
		if !known {
			t.Errorf("%s: on which floor does package %s stand? Add it to floors", f.path, f.dir)
			continue
		}
		if f.ast.Name.Name == "main" {
			t.Errorf("%s: only cmd is a program", f.path)
		}
		for _, spec := range f.ast.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if reason := forbidden(path, floor.imports, floor.http); reason != "" {
				t.Errorf("%s: imports %s: %s", f.path, path, reason)
			}
		}
		if floor.env {
			continue
		}
		for _, name := range environment(f.ast) {
			t.Errorf("%s: reads os.%s: settings are read by cmd and handed down", f.path, name)
		}
	}
	for dir := range floors {
		if !seen[dir] {
			t.Errorf("package %s is not there: was it moved, or does this test look in the wrong place?", dir)
		}
	}
	if !seen["cmd/protocolq"] {
		t.Error("the program itself was not found")
	}
}

// forbidden says why a package below cmd must not import path; "" when it may.
func forbidden(path string, allowed []string, http bool) string {
	own := strings.HasPrefix(path, "protocolq/")
	first, _, _ := strings.Cut(path, "/")
	switch {
	case path == "flag" || path == "os/signal":
		return "flags and signals are cmd's"
	case path == "net/http" || strings.HasPrefix(path, "net/http/"):
		if !http {
			return "HTTP is the gateway's"
		}
		return ""
	case own && !slices.Contains(allowed, path):
		return "not on its floor"
	case !own && strings.Contains(first, ".") && !slices.ContainsFunc(allowed, func(a string) bool { return path == a || strings.HasPrefix(path, a+"/") }):
		return "not its library"
	}
	return ""
}

// environment lists the functions of os through which a file reads its environment or arguments.
func environment(f *ast.File) (names []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "os" &&
				slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Args"}, s.Sel.Name) {
				names = append(names, s.Sel.Name)
			}
		}
		return true
	})
	return names
}

func TestSizes(t *testing.T) {
	functions := 0
	for _, f := range sources(t) {
		if n := f.set.File(f.ast.Pos()).LineCount(); n > 400 {
			t.Errorf("%s has %d lines, more than 400: which part of it has a name of its own?", f.path, n)
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			functions++
			limit := 70
			if fn.Name.Name == "main" && fn.Recv == nil {
				limit = 30
			}
			if n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1; n > limit {
				t.Errorf("%s: %s has %d lines, more than %d", f.path, fn.Name.Name, n, limit)
			}
		}
	}
	if functions == 0 {
		t.Error("no function found")
	}
}

// goFile is one file of the module that is no test.
type goFile struct {
	path, dir string // from the module's top, with slashes
	set       *token.FileSet
	ast       *ast.File
}

// sources reads every file of the module that is no test, those for other systems too.
func sources(t *testing.T) (all []goFile) {
	t.Helper()
	top := filepath.Join("..", "..")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != top && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		all = append(all, goFile{filepath.ToSlash(rel), filepath.ToSlash(filepath.Dir(rel)), set, parsed})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
