// The floors: which package may import which, which may read settings, and how long a file and
// a function may be.
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

// floors lists what each package below cmd, and each mechanism within cmd, may import besides
// the standard library. A new package needs a line here. Low floors import one library each,
// and of this module at most failpoint, pack, pause, publish or messages, so that each can be
// read, tested and replaced alone. .golangci.yml holds the same rules for editors.
var floors = map[string]struct {
	imports []string
	http    bool // may speak HTTP
	env     bool // may read its environment
	program bool // is a program, with flags and signals of its own
}{
	"cmd/protocolq/bench/load": {imports: []string{"github.com/HdrHistogram/hdrhistogram-go"}}, // the schedule: knows no NATS
	"messages":                 {imports: []string{msgpack}},
	"messages/ask":             {imports: []string{natsGo, "protocolq/messages"}}, // what Go callers use
	"messages/protocolqtest": {imports: []string{natsGo, "github.com/nats-io/nats-server/v2/server", "protocolq/gateway", "protocolq/gateway/mapi", "protocolq/gateway/simulator",
		"protocolq/messages", "protocolq/messages/ask", "protocolq/worker", "protocolq/worker/provision", "protocolq/worker/retry"}, http: true}, // for callers' tests: on the top floor, like cmd
	"messages/examples/deductions":    {imports: callers, program: true, http: true},
	"messages/examples/exampletest":   {env: true},
	"messages/examples/refunds":       {imports: callers, program: true},
	"gateway/mapi":                    {imports: []string{"golang.org/x/text"}},
	"gateway":                         {imports: []string{"golang.org/x/net/http/httpproxy", "golang.org/x/net/proxy", "protocolq/gateway/keyfile", "protocolq/gateway/mapi"}, http: true},
	"gateway/keyfile":                 {},                                                        // reads files, not only signing keys: also NATS seeds and the log's HMAC key
	"gateway/simulator":               {imports: []string{"protocolq/gateway/mapi"}, http: true}, // never gateway: the simulator must not share a bug with the client that it checks
	"worker/retry":                    {imports: []string{"github.com/cenkalti/backoff/v4"}},
	"worker/limit":                    {imports: []string{"protocolq/worker/pause"}},
	"worker/pause":                    {},
	"worker/pack":                     {},
	"worker/flight":                   {imports: []string{"protocolq/worker/fleet", "protocolq/worker/journal", "protocolq/worker/memory"}},
	"worker/fleet":                    {imports: []string{"protocolq/worker/journal", "protocolq/worker/memory"}},
	"worker/member":                   {imports: []string{natsGo, "golang.org/x/sync/errgroup", "protocolq/messages", "protocolq/worker/failpoint", "protocolq/worker/fleet", "protocolq/worker/flight", "protocolq/worker/journal", "protocolq/worker/memory", "protocolq/worker/outbox", "protocolq/worker/pause"}},
	"worker/memory":                   {imports: []string{"protocolq/worker/journal"}},
	"worker/publish":                  {imports: []string{natsGo}},
	"worker/record":                   {imports: []string{natsGo, "protocolq/worker/publish", "protocolq/worker/pause"}},
	"worker/journal":                  {imports: []string{natsGo, "protocolq/worker/pack", "protocolq/worker/pause"}}, // NATS in nats.go only
	"worker/intake":                   {imports: []string{natsGo, "github.com/nats-io/nuid", "protocolq/messages", "protocolq/worker/failpoint", "protocolq/worker/journal", "protocolq/worker/publish", "protocolq/worker/querylog", "protocolq/worker/record", "protocolq/worker/pause"}},
	"worker/outbox":                   {imports: []string{natsGo, "protocolq/messages", "protocolq/worker/journal", "protocolq/worker/publish", "protocolq/worker/querylog"}},
	"worker/failpoint":                {env: true}, // empty except under the chaos test's build tag
	"worker/partner":                  {imports: []string{"protocolq/worker/limit", "protocolq/worker/record"}},
	"worker/provision":                {imports: []string{natsGo, "protocolq/messages", "protocolq/worker/journal"}},
	"worker/querylog":                 {imports: []string{natsGo, "protocolq/messages", "protocolq/worker/pack", "protocolq/worker/publish", "protocolq/worker/pause"}}, // the masks, and the stream that the recorder reads
	"worker/querylog/database":        {imports: []string{"github.com/jackc/pgx/v5", "modernc.org/sqlite", "protocolq/worker/querylog", "protocolq/worker/pause"}},
	"worker/ops":                      {imports: []string{natsGo, "github.com/prometheus/client_golang", "protocolq/gateway", "protocolq/gateway/mapi", "protocolq/messages", "protocolq/worker", "protocolq/worker/querylog"}, http: true},           // shows what the others count
	"worker/tracing":                  {imports: []string{"go.opentelemetry.io/proto/otlp", "google.golang.org/protobuf/proto", "protocolq/messages", "protocolq/worker/intake", "protocolq/worker/outbox", "protocolq/worker/querylog"}, http: true}, // what the others report, as spans
	"messages/examples/orchestration": {imports: callers, program: true},
	"worker": {imports: []string{natsGo, "github.com/nats-io/nuid", "golang.org/x/sync/errgroup",
		"protocolq/messages", "protocolq/gateway", "protocolq/gateway/mapi", "protocolq/worker/failpoint", "protocolq/worker/fleet", "protocolq/worker/flight", "protocolq/worker/intake", "protocolq/worker/journal", "protocolq/worker/limit", "protocolq/worker/member", "protocolq/worker/outbox", "protocolq/worker/partner", "protocolq/worker/publish", "protocolq/worker/querylog", "protocolq/worker/record", "protocolq/worker/retry"}},

	// In worker/journal only nats.go knows NATS.
	"worker/natstest":            {imports: []string{natsGo, "github.com/nats-io/nats-server/v2/server"}},                  // a server for tests
	"worker/journal/journaltest": {imports: []string{"protocolq/worker/journal"}},                                          // a journal for tests that fails on purpose
	"worker/simtest":             {imports: []string{"protocolq/worker/fleet", "protocolq/worker/journal"}, program: true}, // fleets for tests, by seed: has their flags
}

// callers is what the examples of programs that ask may import, so that they show no more.
var callers = []string{natsGo, "modernc.org/sqlite", "protocolq/messages", "protocolq/messages/ask"}

// rooms lists what each folder of the command line may import of the others. Imports only point
// down, and a group of commands imports another only where a line here says so. A new folder
// needs a line here.
var rooms = map[string][]string{
	"cli":         {},
	"cli/clitest": {"cli"}, // for tests
	"settings":    {"cli"},
	"natsconn":    {"cli", "settings"},
	"probes":      {"cli", "settings", "natsconn"},
	"snapshot":    {},
	"alert":       {},
	"webhook":     {},
	"logdb":       {"cli", "settings", "natsconn", "probes", "alert", "snapshot"},
	"serve":       {"cli", "settings", "natsconn", "probes"},
	"localstack":  {"cli", "settings", "natsconn", "logdb", "serve"},
	"bench/load":  {},

	"console":             append([]string{"console/access", "console/audit", "console/fleet", "console/letters", "console/lookup", "console/queries", "console/signon", "console/watches", "console/web", "dead", "probes", "webhook"}, below...),
	"console/access":      {},
	"console/audit":       {},
	"console/words":       {},
	"console/web":         {"console/access", "console/audit", "console/words"},
	"console/lookup":      {"console/access", "console/audit", "console/web", "console/words"},
	"console/watches":     {"console/access", "console/audit", "console/lookup", "console/web", "webhook"},
	"console/signon":      {"console/access", "console/web"},
	"console/fleet":       {"cli", "console/access", "console/web", "console/words"},
	"console/letters":     {"cli", "settings", "dead", "explain", "console/access", "console/audit", "console/web", "console/words"},
	"console/queries":     {"cli", "settings", "explain", "logdb", "console/access", "console/audit", "console/web", "console/words"},
	"console/browsertest": {"console/access"}, // for tests

	"ask":        append([]string{"batch", "compare"}, below...),
	"bench":      append([]string{"bench/load"}, below...),
	"config":     below,
	"dead":       below,
	"demo":       append([]string{"console"}, below...),
	"doctor":     append([]string{"httpdoor", "console/access", "webhook"}, below...),
	"explain":    below,
	"fleet":      below,
	"natsconfig": {},
	"forget":     below,
	"httpdoor":   append([]string{"probes", "webhook"}, below...),
	"querylog":   below,
	"batch":      {"cli"}, // lines of a file: knows no NATS
	"compare":    {"cli"}, // two answers: asks nobody
	"contexts":   below,
	"watch":      append([]string{"snapshot"}, below...),
}

// below is what every group of commands may import.
var below = []string{"cli", "settings", "natsconn", "logdb", "serve", "localstack"}

func TestRooms(t *testing.T) {
	const program = "protocolq/cmd/protocolq/"
	seen := map[string]bool{}
	for _, f := range sources(t) {
		room, inside := strings.CutPrefix("protocolq/"+f.dir, program)
		for _, spec := range f.ast.Imports {
			of, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), program)
			switch {
			case !ours || f.dir == "cmd/protocolq":
			case !inside:
				t.Errorf("%s: imports %s, which is the program's own", f.path, of)
			case !slices.Contains(rooms[room], of):
				t.Errorf("%s: %s may not import %s: the arrows point down", f.path, room, of)
			}
		}
		if _, known := rooms[room]; inside && !known {
			t.Errorf("%s: where does the folder %s stand? Add it to rooms", f.path, room)
		}
		seen[room] = true
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("the folder %s is not there", room)
		}
	}
}

func TestFloors(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		seen[f.dir] = true
		floor, known := floors[f.dir]
		if !known && strings.HasPrefix(f.dir, "cmd/") {
			continue // the top floor: may import everything, and no other package imports it
		}
		if !known {
			t.Errorf("%s: on which floor does package %s stand? Add it to floors", f.path, f.dir)
			continue
		}
		if f.ast.Name.Name == "main" && !floor.program {
			t.Errorf("%s: only cmd is a program", f.path)
		}
		for _, spec := range f.ast.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if reason := forbidden(path, floor.imports, floor.http, floor.program); reason != "" {
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

// forbidden returns why a package below cmd must not import path, or "" if it may.
func forbidden(path string, allowed []string, http, program bool) string {
	own := strings.HasPrefix(path, "protocolq/")
	first, _, _ := strings.Cut(path, "/")
	switch {
	case !program && (path == "flag" || path == "os/signal"):
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

// goFile is one file of the module.
type goFile struct {
	path, dir string // from the module's top, with slashes
	set       *token.FileSet
	ast       *ast.File
}

// sources reads every file of the module that is not a test, including those for other systems.
func sources(t *testing.T) []goFile {
	t.Helper()
	return slices.DeleteFunc(goFiles(t), func(f goFile) bool { return strings.HasSuffix(f.path, "_test.go") })
}

// goFiles reads every file of the module.
func goFiles(t *testing.T) (all []goFile) {
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
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
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
