// Writing, in the time of a bubble: what goes into which batch, when it is sent, and what becomes
// of it.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// stage is a writer on a log in memory, whose appends can be held and answered by hand.
type stage struct {
	t      *testing.T
	log    *journaltest.Log
	conn   *journaltest.Conn
	w      *journal.Writer
	begun  time.Time
	cancel context.CancelFunc
	ended  chan error

	mu      sync.Mutex
	sent    []sending
	intrude func(n int) error // answers append n from 1 on in the log's place, unless it is nil
	written []journal.Written
	logged  []string // what became of entries and beats, in order
}

// sending is one append.
type sending struct {
	at time.Duration
	journal.Append
}

// Append implements [journal.Appender].
func (s *stage) Append(ctx context.Context, a journal.Append) (uint64, error) {
	s.mu.Lock()
	s.sent = append(s.sent, sending{time.Since(s.begun), a})
	n, intrude := len(s.sent), s.intrude
	s.mu.Unlock()
	if intrude != nil {
		if err := intrude(n); err != nil {
			return 0, err
		}
	}
	return s.conn.Append(ctx, a)
}

// Last implements [journal.Appender].
func (s *stage) Last(ctx context.Context, m journal.Member) (journal.Message, error) {
	return s.conn.Last(ctx, m)
}

// play runs act on a stage in a bubble.
func play(t *testing.T, f journaltest.Faults, change func(*journal.WriterOptions), act func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, log: journaltest.New(1), begun: time.Now(), ended: make(chan error, 1)}
		s.conn = s.log.Connect(f)
		o := journal.WriterOptions{Log: s, Member: "me", Stored: func(w journal.Written) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.written = append(s.written, w)
		}}
		if change != nil {
			change(&o)
		}
		var err error
		if s.w, err = journal.NewWriter(o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		s.cancel = cancel
		go func() { s.ended <- s.w.Run(ctx) }()
		synctest.Wait()
		act(s)
		cancel()
		synctest.Wait()
	})
}

// newest is the newest batch that was stored.
func (s *stage) newest() journal.Written {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written[len(s.written)-1]
}

func told(n int) *journal.Told { return &journal.Told{Tokens: []string{fmt.Sprint(n)}} }

// add queues entries, whose fate is logged.
func (s *stage) add(numbers ...int) {
	s.t.Helper()
	for _, n := range numbers {
		if err := s.w.Append(told(n), func(r journal.Ref, err error) { s.note(fmt.Sprintf("%d: %v %v", n, r, short(err))) }); err != nil {
			s.t.Fatal(err)
		}
	}
}

func short(err error) string {
	for _, e := range []error{journal.ErrStored, journal.ErrUnknown, journal.ErrSealed, journal.ErrRewound, journal.ErrPermanent, journal.ErrEnded} {
		if errors.Is(err, e) {
			_, after, _ := strings.Cut(e.Error(), ": ")
			return after
		}
	}
	return fmt.Sprint(err)
}

func (s *stage) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logged = append(s.logged, line)
}

// wait lets time pass and all that is due happen.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *stage) wantLogged(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := cmp.Diff(want, s.logged); d != "" {
		s.t.Errorf("became of what was added: %s", d)
	}
	s.logged = nil
}

// wantSent checks each append: when, and after which position.
func (s *stage) wantSent(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, a := range s.sent {
		got = append(got, fmt.Sprintf("%v after %d", a.at, a.Expect))
	}
	if d := cmp.Diff(want, got); d != "" {
		s.t.Errorf("sent: %s", d)
	}
}

// wantBatches checks what the log holds of the member.
func (s *stage) wantBatches(want ...string) {
	s.t.Helper()
	var got []string
	for _, m := range s.log.Messages() {
		if m.Member != "me" {
			continue
		}
		b, err := journal.Decode(m)
		if err != nil {
			s.t.Fatal(err)
		}
		line := fmt.Sprintf("%d:", b.Number)
		for _, e := range b.Entries {
			switch e := e.(type) {
			case *journal.Told:
				line += " " + e.Tokens[0]
			case *journal.Seal:
				line += fmt.Sprintf(" sealed by %s: %s", e.By, e.Why)
			default:
				line += fmt.Sprintf(" kind %d", e.Kind())
			}
		}
		got = append(got, line)
	}
	if d := cmp.Diff(want, got); d != "" {
		s.t.Errorf("batches: %s", d)
	}
}

func (s *stage) wantEnd(want error) {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if !errors.Is(err, want) {
			s.t.Errorf("ended with %v, want %v", err, want)
		}
	default:
		s.t.Errorf("goes on, want an end with %v", want)
	}
}

// An entry that comes alone is sent at once; what comes while a batch is on its way is one batch,
// sent as that is acknowledged.
func TestGroupCommit(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		release := make(chan error)
		s.intrude = func(int) error { return <-release }
		s.add(1)
		synctest.Wait()
		s.wantSent("0s after 0")
		s.add(2, 3)
		wait(7 * time.Millisecond)
		s.add(4)
		s.wantSent("0s after 0")
		release <- nil
		synctest.Wait()
		s.wantSent("0s after 0", "7ms after 1")
		s.wantLogged("1: 1/1 <nil>")
		release <- nil
		synctest.Wait()
		s.wantLogged("2: 2/1 <nil>", "3: 2/2 <nil>", "4: 2/3 <nil>")
		s.wantBatches("1: 1", "2: 2 3 4")
		if n := s.newest(); n.Number != 2 || n.Position != 2 || n.FirstSent.Sub(s.begun) != 7*time.Millisecond || len(n.Entries) != 3 {
			t.Errorf("newest %+v", n)
		}
	})
}

// Of 51 members each sends a batch in 10 ms, on average: 2 ms may be used ahead, and none after a
// rest.
func TestGaps(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.w.SetMembers(51)
		s.add(1)
		synctest.Wait()
		s.add(2)
		wait(4 * time.Millisecond)
		s.add(3)
		wait(4*time.Millisecond - 1)
		s.wantSent("0s after 0")
		wait(1)
		s.wantSent("0s after 0", "8ms after 1")
		s.add(4)
		wait(20 * time.Millisecond)
		s.wantSent("0s after 0", "8ms after 1", "18ms after 2")
		s.add(5)
		synctest.Wait()
		s.wantSent("0s after 0", "8ms after 1", "18ms after 2", "28ms after 3")
		s.wantBatches("1: 1", "2: 2 3", "3: 4", "4: 5")
	})
}

// One of two sends eleven batches in a row before the first gap, and one who is alone as many as
// come.
func TestShortGap(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		for n := range 100 {
			s.add(n)
			synctest.Wait()
		}
		if n := len(s.log.Messages()); n != 100 {
			t.Errorf("%d batches at once of one who is alone", n)
		}
	})
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.w.SetMembers(2)
		for n := range 12 {
			s.add(n)
			synctest.Wait()
		}
		s.mu.Lock()
		if n := len(s.sent); n != 11 {
			t.Errorf("%d batches at once", n)
		}
		s.mu.Unlock()
		wait(200 * time.Microsecond)
		s.mu.Lock()
		if n := len(s.sent); n != 12 || s.sent[11].at != 200*time.Microsecond {
			t.Errorf("%d batches, the last after %v", n, s.sent[n-1].at)
		}
		s.mu.Unlock()
	})
}

// Decisions are made when the batch is composed, beside what was queued before, and say what they
// know.
func TestDecidedWhenComposed(t *testing.T) {
	read, due := uint64(0), 0
	var numbers []uint64
	var s *stage
	decide := func(d *journal.Draft) uint64 {
		if due > 0 {
			if _, err := d.Add(told(due)); err != nil {
				t.Error(err)
			}
			due = 0
		}
		numbers = append(numbers, d.Number())
		s.note(fmt.Sprintf("decided at %d beside %d", read, len(d.Entries())))
		return read
	}
	play(t, journaltest.Faults{}, func(o *journal.WriterOptions) { o.Decide = decide }, func(staged *stage) {
		s = staged
		release := make(chan error)
		s.intrude = func(int) error { return <-release }
		read = 5
		s.add(1)
		synctest.Wait()
		s.wantLogged("decided at 5 beside 1")
		due, read = 70, 8
		s.w.Wake()
		s.add(2)
		wait(time.Millisecond)
		read = 9 // the log goes on before the batch is composed
		release <- nil
		synctest.Wait()
		s.wantLogged("1: 1/1 <nil>", "decided at 9 beside 2")
		release <- nil
		synctest.Wait()
		s.wantLogged("2: 2/1 <nil>")
		wait(time.Millisecond)
		s.w.Wake() // nothing is due after all
		synctest.Wait()
		s.wantLogged("decided at 9 beside 0")
		s.w.Wake() // that number was not used
		synctest.Wait()
		s.wantLogged("decided at 9 beside 0")
		if want := []uint64{1, 2, 3, 3}; !slices.Equal(numbers, want) {
			t.Errorf("numbers %v, want %v", numbers, want)
		}
		s.wantBatches("1: 1", "2: 2 70")
		for i, want := range []uint64{5, 9} {
			if b, err := journal.Decode(s.log.Messages()[i]); err != nil || b.Read != want {
				t.Errorf("batch %d read %d, %v; want %d", i+1, b.Read, err, want)
			}
		}
	})
}

// A beat is a batch though there be nothing in it.
func TestBeat(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		for range 2 {
			if err := s.w.Beat(func(err error) { s.note(fmt.Sprint("beat ", err)) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.w.Beat(nil); err != nil {
			t.Fatal(err)
		}
		wait(time.Second)
		s.wantLogged("beat <nil>", "beat <nil>")
		s.wantBatches("1:")
	})
}

// An acknowledgement that does not come: after 500 ms the leader knows. The lease counts from the
// first sending.
func TestLostAcknowledgement(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		wait(time.Second)
		s.conn.SetFaults(journaltest.Faults{LoseReply: 1})
		s.add(1)
		wait(500*time.Millisecond - 1)
		s.conn.SetFaults(journaltest.Faults{})
		s.wantLogged()
		wait(1)
		s.wantLogged("1: 1/1 <nil>")
		s.wantSent("1s after 0")
		if n := s.newest(); n.FirstSent.Sub(s.begun) != time.Second || n.Position != 1 {
			t.Errorf("newest %+v", n)
		}
	})
}

// A request that is lost is sent again as it was, and renews the lease from when it was sent first.
func TestLostRequest(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.conn.SetFaults(journaltest.Faults{LoseRequest: 1})
		s.add(1)
		wait(time.Millisecond)
		s.add(2) // does not get into the batch that is sent again
		s.conn.SetFaults(journaltest.Faults{})
		wait(549 * time.Millisecond)
		s.wantSent("0s after 0", "550ms after 0", "550ms after 1")
		s.wantLogged("1: 1/1 <nil>", "2: 2/1 <nil>")
		s.wantBatches("1: 1", "2: 2")
		if !slices.Equal(s.sent[0].Data, s.sent[1].Data) {
			t.Error("another batch was sent in its place")
		}
		if n := s.written[0]; !n.FirstSent.Equal(s.begun) {
			t.Errorf("first sent after %v", n.FirstSent.Sub(s.begun))
		}
	})
}

// A correct append that is refused is sent again, each time after twice the pause, up to a second.
func TestCorrectAppendRefused(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.conn.SetFaults(journaltest.Faults{Refuse: 1})
		s.add(1)
		wait(3 * time.Second)
		s.conn.SetFaults(journaltest.Faults{})
		wait(time.Second)
		s.wantSent("0s after 0", "50ms after 0", "150ms after 0", "350ms after 0", "750ms after 0", "1.55s after 0", "2.55s after 0", "3.55s after 0")
		s.wantBatches("1: 1")
	})
}
