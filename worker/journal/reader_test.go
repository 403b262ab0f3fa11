// Reading, in the time of a bubble: in order, without a gap, and never wrongly sure that there is
// none.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// desk is a reader on a log in memory.
type desk struct {
	t     *testing.T
	log   *journaltest.Log
	conn  *journaltest.Conn // the reader's
	r     *journal.Reader
	begun time.Time
	ended chan error

	mu    sync.Mutex
	read  []string // position and when it was applied
	asked []string // from which position the log was asked, and when
	hold  chan struct{}
	fail  error
	// answer answers Next instead of the log; nil: the log does.
	answer func(from uint64) ([]journal.Message, error)
	hang   uint64 // Next from this position on is not answered until its context ends
	hung   int    // such requests that have ended
}

// Follow implements [journal.Source].
func (d *desk) Follow(each func(journal.Message)) (func(), error) { return d.conn.Follow(each) }

// Next implements [journal.Source].
func (d *desk) Next(ctx context.Context, from uint64) ([]journal.Message, error) {
	d.mu.Lock()
	d.asked = append(d.asked, fmt.Sprintf("%d at %v", from, time.Since(d.begun)))
	answer, hang := d.answer, d.hang
	d.mu.Unlock()
	if hang > 0 && from >= hang {
		<-ctx.Done()
		d.mu.Lock()
		d.hung++
		d.mu.Unlock()
		return nil, ctx.Err()
	}
	if answer != nil {
		return answer(from)
	}
	return d.conn.Next(ctx, from)
}

func (d *desk) apply(b *journal.Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	line := fmt.Sprintf("%d at %v", b.Position, time.Since(d.begun))
	if b.Corrupt != nil {
		line += " corrupt"
	}
	d.read = append(d.read, line)
	if hold := d.hold; hold != nil {
		d.mu.Unlock()
		<-hold
		d.mu.Lock()
	}
	return d.fail
}

// sit runs act at a desk in a bubble; before prepares the log, and change the reader.
func sit(t *testing.T, after uint64, before func(*journaltest.Log), act func(d *desk), change ...func(d *desk, o *journal.ReaderOptions)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, log: journaltest.New(1), ended: make(chan error, 1)}
		d.conn = d.log.Connect(journaltest.Faults{})
		if before != nil {
			before(d.log)
		}
		d.begun = time.Now()
		var err error
		o := journal.ReaderOptions{Source: d, After: after, Apply: d.apply}
		for _, c := range change {
			c(d, &o)
		}
		if d.r, err = journal.NewReader(o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { d.ended <- d.r.Run(ctx) }()
		synctest.Wait()
		act(d)
		cancel()
		synctest.Wait()
	})
}

// write appends n batches of a member of its own each.
func write(l *journaltest.Log, n int) {
	c := l.Connect(journaltest.Faults{})
	for range n {
		next := uint64(1)
		if all := l.Messages(); len(all) > 0 {
			next = all[len(all)-1].Position + 1
		}
		data, err := journal.Encode(1, 0)
		if err != nil {
			panic(err)
		}
		if _, err := c.Append(context.Background(), journal.Append{Member: journal.Member(fmt.Sprint("m", next, "-", time.Now().UnixNano())), Data: data}); err != nil {
			panic(err)
		}
	}
}

func purge(l *journaltest.Log, below uint64) {
	if err := l.Connect(journaltest.Faults{}).Purge(context.Background(), below); err != nil {
		panic(err)
	}
}

func (d *desk) want(what string, got *[]string, want ...string) {
	d.t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff(want, *got); diff != "" {
		d.t.Errorf("%s: %s", what, diff)
	}
	*got = nil
}

func (d *desk) wantRead(want ...string)  { d.t.Helper(); d.want("read", &d.read, want...) }
func (d *desk) wantAsked(want ...string) { d.t.Helper(); d.want("asked from", &d.asked, want...) }

func (d *desk) wantEnd(want error) {
	d.t.Helper()
	synctest.Wait()
	select {
	case err := <-d.ended:
		if !errors.Is(err, want) {
			d.t.Errorf("ended with %v, want %v", err, want)
		}
	default:
		d.t.Errorf("goes on, want an end with %v", want)
	}
}

func TestReplayAndFollow(t *testing.T) {
	sit(t, 0, func(l *journaltest.Log) { write(l, 3) }, func(d *desk) {
		d.wantRead("1 at 0s", "2 at 0s", "3 at 0s")
		d.wantAsked("1 at 0s", "3 at 0s") // until there is no more
		wait(300 * time.Millisecond)
		write(d.log, 2)
		d.wantRead("4 at 300ms", "5 at 300ms")
		if p := d.r.Position(); p != 5 {
			t.Errorf("position %d", p)
		}
		wait(999 * time.Millisecond)
		d.wantAsked()
		wait(time.Millisecond) // nothing for a second: the newest may have been lost
		d.wantAsked("5 at 1.3s")
		wait(time.Second)
		d.wantAsked("5 at 2.3s")
	})
}

func TestReplayFromAPosition(t *testing.T) {
	sit(t, 2, func(l *journaltest.Log) { write(l, 3) }, func(d *desk) {
		d.wantRead("3 at 0s")
	})
}

// A log whose beginning is purged begins where it begins.
func TestReplayOfAPurgedLog(t *testing.T) {
	sit(t, 0, func(l *journaltest.Log) { write(l, 5); purge(l, 4) }, func(d *desk) {
		d.wantRead("4 at 0s", "5 at 0s")
	})
}

// The newest message is lost on its way: nothing follows that shows the gap, so the log is asked.
func TestNewestLost(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		wait(400 * time.Millisecond)
		write(d.log, 1)
		d.wantRead()
		wait(600 * time.Millisecond)
		d.wantRead("1 at 1s")
	})
}

// A gap is asked for at once, and a message behind it is not applied before.
func TestGapIsReadAtOnce(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		d.wantAsked("1 at 0s")
		wait(100 * time.Millisecond)
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 2)
		d.conn.SetFaults(journaltest.Faults{})
		write(d.log, 1)
		d.wantRead("1 at 100ms", "2 at 100ms", "3 at 100ms")
		wait(10 * time.Millisecond)
		d.mu.Lock()
		if len(d.asked) == 0 || d.asked[0] != "1 at 100ms" {
			t.Errorf("asked %v", d.asked)
		}
		d.mu.Unlock()
	})
}

// That no server has a missing batch proves nothing: it is asked for again and again, and then
// comes.
func TestNothingProvesNothing(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		d.mu.Lock()
		d.answer = func(uint64) ([]journal.Message, error) { return nil, nil }
		d.asked = nil
		d.mu.Unlock()
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 1)
		d.conn.SetFaults(journaltest.Faults{})
		write(d.log, 1)
		d.wantAsked("1 at 0s")
		wait(2 * time.Second)
		d.wantAsked("1 at 10ms", "1 at 30ms", "1 at 70ms", "1 at 150ms", "1 at 310ms", "1 at 630ms", "1 at 1.13s", "1 at 1.63s")
		d.wantRead()
		write(d.log, 1) // more of the log does not make it ask more often
		d.wantAsked()
		d.mu.Lock()
		d.answer = nil
		d.mu.Unlock()
		wait(130 * time.Millisecond)
		d.wantRead("1 at 2.13s", "2 at 2.13s", "3 at 2.13s")
	})
}

// An answer that fails, also in the middle, is taken for what it holds.
func TestHalfAnAnswer(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 4)
		all := d.log.Messages()
		d.mu.Lock()
		d.answer = func(from uint64) ([]journal.Message, error) {
			if from > 1 {
				return nil, errors.New("no answer")
			}
			return all[from-1 : 2], errors.New("cut off")
		}
		d.mu.Unlock()
		wait(time.Second)
		d.wantRead("1 at 1s", "2 at 1s")
		d.mu.Lock()
		d.answer = nil
		d.mu.Unlock()
		wait(time.Second)
		d.wantRead("3 at 2s", "4 at 2s")
	})
}

// A message that comes late, after the gap was closed, or twice, changes nothing; one that closes
// the gap is welcome.
func TestLateAndTwice(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		d.conn.SetFaults(journaltest.Faults{Late: 1, LateBy: 5 * time.Second, Twice: 1})
		write(d.log, 20)
		d.conn.SetFaults(journaltest.Faults{})
		write(d.log, 1)
		wait(20 * time.Second)
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.read) != 21 {
			t.Errorf("read %v", d.read)
		}
		for i, line := range d.read {
			if !strings.HasPrefix(line, fmt.Sprintf("%d at 0s", i+1)) {
				t.Errorf("applied as number %d: %s", i+1, line)
			}
		}
	})
}

// The log was purged beyond the reader: what it read is void.
func TestPurgedBeyondTheReader(t *testing.T) {
	sit(t, 0, func(l *journaltest.Log) { write(l, 2) }, func(d *desk) {
		d.wantRead("1 at 0s", "2 at 0s")
		d.conn.Cut(true)
		write(d.log, 5)
		purge(d.log, 6)
		d.conn.Cut(false)
		wait(3 * time.Second)
		d.wantRead()
		d.wantEnd(journal.ErrPurged)
	})
}

// The log is another: a message from before the cursor that is not the one that was read.
func TestReaderOfARewoundLog(t *testing.T) {
	for name, rewind := range map[string]func(*journaltest.Log){
		"restored":  func(l *journaltest.Log) { l.Restore(2) },
		"made anew": func(l *journaltest.Log) { l.Delete(); l.Create() },
	} {
		t.Run(name, func(t *testing.T) {
			sit(t, 0, func(l *journaltest.Log) { write(l, 5) }, func(d *desk) {
				wait(time.Second)
				rewind(d.log)
				write(d.log, 1)
				d.wantEnd(journal.ErrRewound)
			})
		})
	}
}

// A reader that was cut off finds a log that was restored and has grown beyond the cursor: what
// follows is not its own.
func TestRewoundAndGrown(t *testing.T) {
	sit(t, 0, func(l *journaltest.Log) { write(l, 5) }, func(d *desk) {
		d.wantRead("1 at 0s", "2 at 0s", "3 at 0s", "4 at 0s", "5 at 0s")
		wait(10 * time.Second)
		d.conn.Cut(true)
		d.log.Restore(2)
		write(d.log, 10)
		wait(time.Second)
		d.conn.Cut(false)
		wait(3 * time.Second)
		d.wantRead()
		d.wantEnd(journal.ErrRewound)
	})
}

func TestBatchesThatAreNotRead(t *testing.T) {
	sit(t, 0, func(l *journaltest.Log) { write(l, 3); l.Corrupt(2) }, func(d *desk) {
		d.wantRead("1 at 0s", "2 at 0s corrupt", "3 at 0s")
		c := d.log.Connect(journaltest.Faults{})
		if _, err := c.Append(d.t.Context(), journal.Append{Member: "later", Data: raw(2, nil)}); err != nil {
			d.t.Fatal(err)
		}
		d.wantEnd(journal.ErrNewer)
		if p := d.r.Position(); p != 3 {
			d.t.Errorf("position %d", p)
		}
	})
}

// A slow reader keeps no more than its bound, and reads the rest again.
func TestSlowReader(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		hold := make(chan struct{})
		d.mu.Lock()
		d.hold = hold
		d.mu.Unlock()
		c := d.log.Connect(journaltest.Faults{})
		data, err := journal.Encode(1, 0, &journal.Ask{Door: journal.Await, Query: make([]byte, 120<<10)})
		if err != nil {
			d.t.Fatal(err)
		}
		const n = 700 // 82 MiB
		for i := range n {
			if _, err := c.Append(d.t.Context(), journal.Append{Member: journal.Member(fmt.Sprint("m", i)), Data: data}); err != nil {
				d.t.Fatal(err)
			}
			synctest.Wait()
		}
		d.mu.Lock()
		d.hold, d.asked = nil, nil
		d.mu.Unlock()
		close(hold)
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.read) != n || len(d.asked) == 0 || d.asked[0] != "546 at 0s" {
			d.t.Errorf("read %d of %d, asked first from %.1v", len(d.read), n, d.asked)
		}
	})
}

func TestReaderNeeds(t *testing.T) {
	if _, err := journal.NewReader(journal.ReaderOptions{Apply: func(*journal.Batch) error { return nil }}); err == nil {
		t.Error("a reader without a source")
	}
}
