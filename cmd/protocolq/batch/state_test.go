// What a state remembers, however the process ended.

package batch_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"protocolq/cmd/protocolq/batch"
	"protocolq/messages"
)

func open(t *testing.T, path string) *batch.State {
	t.Helper()
	s, err := batch.OpenState(path, "query", "new")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func ofNumber(n int) batch.Line {
	return batch.Line{Number: n, Query: messages.Query{V: 1, ID: fmt.Sprint("b-", n), UserEmail: fmt.Sprintf("a%d@example.com", n)}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestStateRemembers writes from many goroutines, and cuts the file at many places. Each line
// is as it was when the file ended there.
func TestStateRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := open(t, path)
	var all sync.WaitGroup
	for n := 2; n <= 50; n++ {
		all.Go(func() {
			l := ofNumber(n)
			err := s.Asking(l)
			if n%2 == 0 {
				err = errors.Join(err, s.Answered(l, messages.Result{ID: l.Query.ID, Outcome: messages.Signed, Run: l.Query.ID}))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for cut := len(whole); cut >= 0; cut -= 97 {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		s := open(t, path)
		kept := string(whole[:strings.LastIndexByte(string(whole[:cut]), '\n')+1])
		for n := 1; n <= 51; n++ {
			r, asked, answered, err := s.Known(ofNumber(n))
			wantAsked, wantAnswered := strings.Contains(kept, fmt.Sprintf(`"line":%d,"q`, n)), strings.Contains(kept, fmt.Sprintf(`"line":%d,"r`, n))
			if err != nil || asked != wantAsked || answered != wantAnswered || answered && r.Run != fmt.Sprint("b-", n) {
				t.Fatalf("cut at %d, line %d: %+v, %v, %v, %v", cut, n, r, asked, answered, err)
			}
		}
		must(t, s.Asking(ofNumber(60))) // writing continues after the cut
		must(t, s.Close())
		again := open(t, path)
		if _, asked, _, err := again.Known(ofNumber(60)); err != nil || !asked {
			t.Fatalf("cut at %d: what is written later is not read: %v", cut, err)
		}
		if want := map[bool]string{true: "new", false: s.Batch()}[cut < 10]; again.Batch() != want {
			t.Errorf("cut at %d: batch %q", cut, again.Batch())
		}
		must(t, again.Close())
	}
}

// TestStateAskedAgain: a line that is asked again has no answer until the new one comes.
func TestStateAskedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s, l := open(t, path), ofNumber(2)
	must(t, s.Asking(l))
	must(t, s.Answered(l, messages.Result{Outcome: messages.Unknown}))
	must(t, s.Asking(l))
	must(t, s.Close())
	s = open(t, path)
	if _, asked, answered, err := s.Known(l); !asked || answered || err != nil {
		t.Errorf("%v, %v, %v", asked, answered, err)
	}
}

func TestStateRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	s := open(t, path)
	must(t, s.Asking(ofNumber(2)))
	if _, err := batch.OpenState(path, "query", "b"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
	must(t, s.Close())
	if _, err := batch.OpenState(path, "submit", "b"); err == nil || !strings.Contains(err.Error(), "of query, not of submit") {
		t.Errorf("at another door: %v", err)
	}
	other := ofNumber(2)
	other.Query.UserEmail = "other@example.com"
	if _, _, _, err := open(t, path).Known(other); err == nil || !strings.Contains(err.Error(), "line 2 is not what was asked before") {
		t.Errorf("another question: %v", err)
	}
	for text, word := range map[string]string{
		"user_email\na@example.com\n": "not the state of a batch", "a@example.com": "not the state of a batch", strings.Repeat("\x00", 1<<17) + "x": "not the state of a batch",
		`{"protocolq_batch":1,"batch":"b","door":"query"}` + "\n" + strings.Repeat("x", 1<<17): "too long", `{"protocolq_batch":2}` + "\n": "version 2",
		`{"protocolq_batch":1,"batch":"b","door":"query"}` + "\nx\n": "line 2", `{"protocolq_batch":1,"batch":"b","door":"query"}` + "\n" + `{"line":99999999999}` + "\n": "at most",
	} {
		file := filepath.Join(dir, "other")
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := batch.OpenState(file, "query", "b"); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%.60q: %v", text, err)
		}
		if after, err := os.ReadFile(file); err != nil || string(after) != text {
			t.Errorf("%.60q is changed to %.60q", text, after)
		}
	}
}

const headLine = `{"protocolq_batch":1,"batch":"b","door":"query"}` + "\n"

// TestStateAfterAPowerCut: what was being written may be NULs of any length, or half a line and
// NULs. It is cut off. What stands before it counts, and later lines are written after that.
func TestStateAfterAPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := open(t, path)
	must(t, s.Asking(ofNumber(2)))
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	for name, tail := range map[string]string{
		"a block": strings.Repeat("\x00", 4096), "many": strings.Repeat("\x00", 1<<17), "with its end": strings.Repeat("\x00", 100) + "\n",
		"half a line": `{"line":3,"qu` + strings.Repeat("\x00", 100), "lines behind": `{"line":3,"qu` + "\x00" + `"}` + "\n" + `{"line":4,"question":5}` + "\n",
	} {
		must(t, os.WriteFile(path, append(whole[:len(whole):len(whole)], tail...), 0o600))
		s := open(t, path)
		if s.Cut() != int64(len(tail)) {
			t.Errorf("%s: %d bytes are cut off", name, s.Cut())
		}
		must(t, s.Asking(ofNumber(5)))
		must(t, s.Close())
		s = open(t, path)
		for n, want := range map[int]bool{2: true, 3: false, 4: false, 5: true} {
			if _, asked, _, err := s.Known(ofNumber(n)); err != nil || asked != want {
				t.Errorf("%s: line %d was asked: %v, %v", name, n, asked, err)
			}
		}
		if s.Cut() != 0 {
			t.Errorf("%s: %d bytes are cut off again", name, s.Cut())
		}
		must(t, s.Close())
	}
	for _, head := range []string{strings.Repeat("\x00", 60), headLine[:30] + strings.Repeat("\x00", 30), headLine[:5], ""} {
		must(t, os.WriteFile(path, []byte(head), 0o600))
		s := open(t, path)
		if s.Cut() != int64(len(head)) || s.Batch() != "new" {
			t.Errorf("%q: %d bytes are cut off, batch %q", head, s.Cut(), s.Batch())
		}
		must(t, s.Close())
	}
}

// FuzzState: a refused file is not changed. An accepted one keeps everything before the cut,
// and is accepted again with nothing more to cut.
func FuzzState(f *testing.F) {
	for _, text := range []string{"", headLine, headLine + "{}\n", headLine + `{"line":2,"question":7}` + "\n\x00\x00", headLine + `{"line":2,"quest` + "\x00\n",
		"\x00\x00", headLine + "x\n", headLine[:20], headLine + `{"line":2,"result":{"v":1}}` + "\n\x00" + headLine} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "state")
		must(t, os.WriteFile(path, data, 0o600))
		s, err := batch.OpenState(path, "query", "new")
		after, rerr := os.ReadFile(path)
		must(t, rerr)
		if err != nil {
			if string(after) != string(data) {
				t.Fatalf("refused (%v), and changed to %q", err, after)
			}
			return
		}
		must(t, s.Close())
		if kept := len(data) - int(s.Cut()); kept > 0 && string(after) != string(data[:kept]) {
			t.Fatalf("%d bytes are cut off, and %q is left", s.Cut(), after)
		}
		if s, err = batch.OpenState(path, "query", "other"); err != nil || s.Cut() != 0 {
			t.Fatalf("not taken again: %v", err)
		}
		must(t, s.Close())
	})
}
