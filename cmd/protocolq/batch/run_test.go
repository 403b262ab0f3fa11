// Batches under a fake clock: windows, order, ends of every kind, and a second run.

package batch_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// file returns n lines, numbered from 1.
func file(n int) func() (batch.Line, error) {
	given := 0
	return func() (batch.Line, error) {
		if given == n {
			return batch.Line{}, io.EOF
		}
		given++
		return ofNumber(given), nil
	}
}

// desk answers queries, and keeps what was asked.
type desk struct {
	mu    sync.Mutex
	asked []string // ids
	under int      // under way
	most  int      // the most under way at once

	takes  time.Duration
	answer func(id string) (messages.Result, error) // nil: signed
}

func (d *desk) ask(ctx context.Context, q messages.Query) (messages.Result, error) {
	d.mu.Lock()
	d.asked = append(d.asked, q.ID)
	d.under++
	d.most = max(d.most, d.under)
	d.mu.Unlock()
	defer func() { d.mu.Lock(); d.under--; d.mu.Unlock() }()
	select {
	case <-time.After(d.takes):
	case <-ctx.Done():
		return messages.Result{}, ctx.Err()
	}
	if d.answer != nil {
		return d.answer(q.ID)
	}
	return messages.Result{ID: q.ID, Outcome: messages.Signed}, nil
}

// printed keeps the numbers of the lines in the order in which they are printed.
type printed struct {
	lines   []int
	answers []batch.Answer
}

func (p *printed) options(d *desk, window int) batch.Options {
	return batch.Options{Window: window, Ask: d.ask, Drain: 10 * time.Second, Flush: func() error { return nil },
		Print: func(a batch.Answer) error {
			p.lines, p.answers = append(p.lines, a.Number), append(p.answers, a)
			return nil
		}}
}

func TestWindowAndOrder(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d, p := &desk{takes: time.Second}, &printed{}
			first := make(chan struct{})
			d.answer = func(id string) (messages.Result, error) {
				if id == "b-1" {
					<-first
				}
				return messages.Result{ID: id, Outcome: messages.NotSigned}, nil
			}
			time.AfterFunc(time.Hour, func() { close(first) })
			o := p.options(d, 4)
			o.Unordered = unordered
			sums, err := batch.Run(t.Context(), file(500), o)
			if err != nil || sums.Lines != 500 || sums.Exit() != cli.ExitOK || d.most != 4 {
				t.Errorf("%+v, %v, %d at once", sums, err, d.most)
			}
			if ordered := slices.IsSorted(p.lines); ordered == unordered {
				t.Errorf("unordered %v: printed %v", unordered, p.lines)
			}
			if unordered && p.lines[499] != 1 {
				t.Errorf("the slow one is number %v of those printed", slices.Index(p.lines, 1))
			}
		})
	}
}

// Behind one slow line, only a bounded number of others is held in memory.
func TestWhatIsHeldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d, p := &desk{takes: time.Second}, &printed{}
		d.answer = func(id string) (messages.Result, error) {
			if id == "b-1" {
				<-ctx.Done()
			}
			return messages.Result{ID: id, Outcome: messages.Signed}, nil
		}
		time.AfterFunc(time.Hour, cancel)
		if _, err := batch.Run(ctx, file(1000), p.options(d, 4)); !errors.Is(err, context.Canceled) || len(d.asked) != 64 || len(p.lines) != 64 {
			t.Errorf("%v, %d asked, %d printed", err, len(d.asked), len(p.lines))
		}
	})
}

// A stopped batch waits for the queries under way. A second run asks the rest, and everything
// is printed.
func TestStoppedAndResumed(t *testing.T) {
	for name, drain := range map[string]time.Duration{"drained": time.Minute, "cut": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			synctest.Test(t, func(t *testing.T) {
				d := &desk{takes: 10 * time.Second}
				ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
				defer cancel()
				p := &printed{}
				o := p.options(d, 5)
				o.State, o.Drain = open(t, path), drain
				sums, err := batch.Run(ctx, file(40), o)
				lost := int64(map[string]int{"drained": 0, "cut": 5}[name])
				if !errors.Is(err, context.DeadlineExceeded) || len(d.asked) != 20 || sums.Lines != 20 || sums.Unanswered != lost {
					t.Fatalf("the first run: %v, %d asked, %+v", err, len(d.asked), sums)
				}
				must(t, o.State.Close())
				for run, again := range []bool{false, true} {
					p = &printed{}
					o = p.options(d, 5)
					o.State, o.AskAgain = open(t, path), again
					sums, err = batch.Run(t.Context(), file(40), o)
					want := []int64{lost, 0}[run]
					if err != nil || sums.Lines != 40 || sums.Unanswered != want || !slices.IsSorted(p.lines) {
						t.Errorf("run %d: %v, %+v", run+2, err, sums)
					}
					must(t, o.State.Close())
					seen := slices.Clone(d.asked)
					slices.Sort(seen)
					if repeated := len(seen) - len(slices.Compact(slices.Clone(seen))); !again && repeated > 0 || again && int64(repeated) != lost {
						t.Errorf("run %d: %d lines asked again", run+2, repeated)
					}
				}
			})
		})
	}
}

// Lines that an earlier run asked or had accepted are looked for and not asked. Each kept
// answer is reported, also one of the earlier run.
func TestLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		s := open(t, path)
		for n, r := range map[int]messages.Outcome{1: messages.Signed, 2: messages.Accepted, 3: "", 4: messages.Unknown} {
			l := ofNumber(n)
			must(t, s.Asking(l))
			if r != "" {
				must(t, s.Answered(l, messages.Result{V: 1, ID: l.Query.ID, Outcome: r}))
			}
		}
		must(t, s.Close())
		for _, again := range []bool{false, true} {
			asking, looking, p := &desk{}, &desk{}, &printed{}
			o := p.options(asking, 5)
			o.State, o.AskAgain, o.Look = open(t, path), again, looking.ask
			var mu sync.Mutex
			var kept []int
			o.Kept = func(l batch.Line) { mu.Lock(); defer mu.Unlock(); kept = append(kept, l.Number) }
			looking.answer = func(id string) (messages.Result, error) {
				if id == "b-3" {
					return messages.Result{}, errors.New("no reply")
				}
				return messages.Result{V: 1, ID: id, Outcome: messages.Signed}, nil
			}
			sums, err := batch.Run(t.Context(), file(5), o)
			must(t, err)
			must(t, o.State.Close())
			slices.Sort(kept)
			slices.Sort(asking.asked)
			slices.Sort(looking.asked)
			wantAsked, wantLooked, wantKept := []string{"b-5"}, []string{"b-2", "b-3"}, []int{1, 2, 4, 5}
			if again {
				wantAsked, wantLooked, wantKept = []string{"b-3", "b-4"}, nil, []int{1, 2, 3, 4, 5}
			}
			if !slices.Equal(asking.asked, wantAsked) || !slices.Equal(looking.asked, wantLooked) || !slices.Equal(kept, wantKept) || sums.Lines != 5 {
				t.Errorf("again %v: asked %v, looked for %v, kept %v, %+v", again, asking.asked, looking.asked, kept, sums)
			}
		}
	})
}

// Lines of an earlier run whose answers are not found do not end the batch as one without any
// answer.
func TestNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lost, lines = 20, 25
		path := filepath.Join(t.TempDir(), "state")
		s := open(t, path)
		for n := range lost {
			must(t, s.Asking(ofNumber(n+1)))
		}
		must(t, s.Close())
		d, p := &desk{}, &printed{}
		o := p.options(d, 5)
		o.State = open(t, path)
		o.Look = func(context.Context, messages.Query) (messages.Result, error) {
			return messages.Result{}, errors.New("no reply")
		}
		sums, err := batch.Run(t.Context(), file(lines), o)
		must(t, o.State.Close())
		if err != nil || len(d.asked) != lines-lost || sums.Unanswered != lost || sums.Earlier != lost {
			t.Errorf("%v, %d asked, %+v", err, len(d.asked), sums)
		}
	})
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		for _, answer := range []func(string) (messages.Result, error){
			func(string) (messages.Result, error) { return messages.Result{}, away },
			func(string) (messages.Result, error) {
				return messages.Result{Outcome: messages.Unknown, Code: messages.Paused, Retryable: true}, nil
			},
		} {
			d, p := &desk{takes: time.Second, answer: answer}, &printed{}
			sums, err := batch.Run(t.Context(), file(1000), p.options(d, 2))
			silent, ok := errors.AsType[*batch.SilentError](err)
			if !ok || silent.Lines < 8 || len(d.asked) > 16 || int(sums.Lines) != len(d.asked) || sums.Exit() == cli.ExitOK {
				t.Errorf("%v, %d asked, %+v", err, len(d.asked), sums)
			}
			if p.answers[0].Result.Outcome != messages.Unknown {
				t.Errorf("printed %+v", p.answers[0].Result)
			}
		}
	})
}

// Lines with a fault, and single lines without an answer, do not stop the batch.
func TestFaultsStopNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := &desk{}, &printed{}
		d.answer = func(id string) (messages.Result, error) {
			if strings.HasSuffix(id, "5") {
				return messages.Result{}, errors.New("away")
			}
			return messages.Result{ID: id, Outcome: messages.Signed}, nil
		}
		lines := file(100)
		sums, err := batch.Run(t.Context(), func() (batch.Line, error) {
			l, err := lines()
			if l.Number%4 == 0 {
				l.Fault = &messages.Error{Code: messages.BadRequest, Field: "user_email", Reason: "is none"}
			}
			return l, err
		}, p.options(d, 3))
		if err != nil || sums.Lines != 100 || sums.Faults != 25 || sums.Outcomes["refused"] != 25 || sums.Unanswered != 10 || sums.Outcomes["signed"] != 65 || sums.Exit() != cli.ExitNoAnswer {
			t.Errorf("%v, %+v", err, sums)
		}
		if r := p.answers[3].Result; r.ID != "b-4" || r.Code != messages.BadRequest || r.Message != "user_email: is none" {
			t.Errorf("printed %+v", r)
		}
	})
}

func TestEndsWithErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		d, p := &desk{takes: time.Second}, &printed{}
		o := p.options(d, 3)
		o.Print = func(batch.Answer) error { return full }
		if _, err := batch.Run(t.Context(), file(1000), o); !errors.Is(err, full) || len(d.asked) > 10 {
			t.Errorf("printing: %v, %d asked", err, len(d.asked))
		}
		_, err := batch.Run(t.Context(), func() (batch.Line, error) { return batch.Line{}, full }, p.options(d, 3))
		if !errors.Is(err, full) {
			t.Errorf("reading: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a pipe without a writer
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		never := make(chan struct{})
		_, err := batch.Run(ctx, func() (batch.Line, error) { <-never; return batch.Line{}, io.EOF }, (&printed{}).options(&desk{}, 3))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a line: %v", err)
		}
		close(never)
	})
}

func TestExit(t *testing.T) {
	for want, s := range map[int]batch.Sums{
		cli.ExitOK:       {Lines: 3, Outcomes: map[string]int64{"signed": 1, "not_signed": 1, "accepted": 1}},
		cli.ExitRefused:  {Lines: 2, Outcomes: map[string]int64{"signed": 1, "refused": 1}, Faults: 1},
		cli.ExitUnknown:  {Lines: 2, Outcomes: map[string]int64{"refused": 1, "unknown": 1}},
		cli.ExitNoAnswer: {Lines: 2000, Outcomes: map[string]int64{"unknown": 1999}, Unanswered: 1, Earlier: 500},
	} {
		if got := s.Exit(); got != want {
			t.Errorf("%+v: exit %d", s, got)
		}
		for _, word := range map[int][]string{cli.ExitOK: {"3 lines: accepted 1, not_signed 1, signed 1, in 10s (0 a second)"}, cli.ExitRefused: {"1 line could not be asked"},
			cli.ExitNoAnswer: {"2,000 lines: unknown 1,999, no answer 1; 500 lines by an earlier run, in 10s (150 a second)"}}[want] {
			if got := s.Text(10 * time.Second); !strings.Contains(got, word) {
				t.Errorf("%s: no %q", got, word)
			}
		}
	}
}
