// What a caller's module gets when it imports messages and messages/ask, compared with the
// contract's page.

package ask_test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// callersProgram asks like the example on the page.
const callersProgram = `package main

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/messages/ask"
)

func main() {
	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ask.Ask(context.Background(), nc, messages.Query{UserEmail: "zhang@example.com"}))
}
`

// buildCaller builds that program in a module of its own.
func buildCaller(t *testing.T) (program string) {
	t.Helper()
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(top, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": callersProgram, "go.sum": string(sums),
		"go.mod": "module example.com/refunds\n\ngo 1.26.0\n\nrequire protocolq v0.0.0\n\nreplace protocolq => " + top + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "refunds")
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func TestModulesOfACaller(t *testing.T) {
	program := buildCaller(t)
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	for _, m := range info.Deps {
		if m.Path != "protocolq" {
			modules = append(modules, m.Path)
		}
	}
	slices.Sort(modules)
	want := []string{"github.com/klauspost/compress", "github.com/nats-io/nats.go", "github.com/nats-io/nkeys", "github.com/nats-io/nuid",
		"github.com/vmihailenco/msgpack/v5", "github.com/vmihailenco/tagparser/v2", "golang.org/x/crypto", "golang.org/x/sys"}
	if diff := cmp.Diff(want, modules); diff != "" {
		t.Errorf("a caller takes other modules than nats.go, msgpack/v5 and what they bring (-want +got):\n%s", diff)
	}
	page, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`needs (\d+) more modules(?s:.{1,99}?) (\d+\.\d) MB`).FindStringSubmatch(string(page))
	if said == nil {
		t.Fatal("messages/README.md does not say what a caller takes")
	}
	if said[1] != strconv.Itoa(len(modules)) {
		t.Errorf("messages/README.md says %s modules; there are %d", said[1], len(modules))
	}
	file, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	mb, _ := strconv.ParseFloat(said[2], 64)
	if got := float64(file.Size()) / 1e6; got < 0.9*mb || got > 1.1*mb {
		t.Errorf("messages/README.md says %s MB; it is %.1f", said[2], got)
	}
}
