// Reads `go test -json`, shows what a person wants to see of it, and fails when a run proves less
// than it seems to.
//
//	make test TESTFLAGS='-json -count=1' | go run .ci/tally.go -closing FILE PACKAGE…
//
// It fails when a test failed, when a package has no test, when one of the
// packages named ran none, or when a test was skipped that may not be.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// maySkip are the tests that may be skipped where the machine lacks something, with the reason.
// None may.
var maySkip = map[string]string{}

type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // instead of Package, of what a compiler says
}

type tally struct {
	passed, failed int
	tests          map[string]int      // passed, by package
	output         map[string][]string // of the test that runs, by package and test
	closing        []string            // a line a package: ok, FAIL or no test files
	faults         []string
}

func main() {
	closing := flag.String("closing", "", "file for the closing lines")
	flag.Parse()
	t := tally{tests: map[string]int{}, output: map[string][]string{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" {
			fmt.Println(lines.Text()) // not go test's: make's, or a compiler's
			continue
		}
		t.add(e)
	}
	if err := lines.Err(); err != nil {
		t.faults = append(t.faults, "read: "+err.Error())
	}
	t.judge(flag.Args())
	t.closing = append(t.closing, fmt.Sprintf("%d passed, %d failed", t.passed, t.failed))
	text := strings.Join(t.closing, "\n") + "\n"
	fmt.Print(text)
	if err := os.WriteFile(*closing, []byte(text), 0o600); err != nil {
		t.faults = append(t.faults, err.Error())
	}
	for _, f := range t.faults {
		fmt.Println("tests: " + f)
	}
	if len(t.faults) > 0 {
		os.Exit(1)
	}
}

func (t *tally) add(e event) {
	if e.Package == "" {
		e.Package = e.ImportPath
	}
	id := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		t.output[id] = append(t.output[id], e.Output)
		line := strings.TrimRight(e.Output, "\n")
		if e.Test == "" && (strings.HasPrefix(line, "ok  ") || strings.HasPrefix(line, "FAIL\t") || strings.HasPrefix(line, "?   ")) {
			t.closing = append(t.closing, line)
			fmt.Println(line)
		}
		return
	case "pass":
		if e.Test != "" {
			t.passed++
			t.tests[e.Package]++
		}
	case "fail", "build-fail":
		if e.Test != "" {
			t.failed++
		}
		t.faults = append(t.faults, strings.TrimSpace(id)+" failed")
		t.closing = append(t.closing, said(t.output[id])...)
		fmt.Print(strings.Join(t.output[id], ""))
	case "skip":
		if reason, ok := maySkip[id]; ok {
			fmt.Printf("skipped: %s (%s)\n", id, reason)
		} else {
			t.faults = append(t.faults, strings.TrimSpace(id)+" was skipped, or has no test")
		}
	default:
		return
	}
	delete(t.output, id)
}

// said finds in a test's output what the test itself said, the first lines of it: "x_test.go:12:
// ...".
func said(output []string) []string {
	var lines []string
	for _, o := range output {
		if strings.Contains(o, "_test.go:") && len(lines) < 5 {
			lines = append(lines, strings.TrimRight(strings.ToValidUTF8(o[:min(len(o), 300)], ""), "\n"))
		}
	}
	return lines
}

// judge adds the faults of what did not run at all.
func (t *tally) judge(must []string) {
	for _, p := range must {
		if t.tests[p] == 0 {
			t.faults = append(t.faults, p+" ran no test")
		}
	}
	if t.passed == 0 {
		t.faults = append(t.faults, "no test ran")
	}
	slices.Sort(t.faults)
	t.faults = slices.Compact(t.faults)
}
