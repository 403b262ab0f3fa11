// The writer where its member is sealed, the log is another, or the server refuses for good.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

func TestSealedByAnother(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.add(1)
		wait(time.Second)
		if sealed, err := journal.SealOther(s.t.Context(), s.conn, journal.Sealing{Of: "me", By: "other", Number: 1, Position: 1, Read: 1, Why: "silent"}); !sealed || err != nil {
			t.Fatal(sealed, err)
		}
		release := make(chan error)
		s.intrude = func(int) error { return <-release }
		s.add(2)
		synctest.Wait()
		s.add(3)
		if err := s.w.Beat(func(err error) { s.note("beat " + short(err)) }); err != nil {
			t.Fatal(err)
		}
		release <- nil
		synctest.Wait()
		s.wantLogged("1: 1/1 <nil>", "2: 0/0 this member is sealed", "3: 0/0 this member is sealed", "beat this member is sealed")
		s.wantEnd(journal.ErrSealed)
		s.wantBatches("1: 1", "2: sealed by other: silent")
		if err := s.w.Append(told(4), nil); !errors.Is(err, journal.ErrEnded) || !errors.Is(err, journal.ErrSealed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A batch is stored, its acknowledgement lost, and the member sealed before it asks: it is not said
// to be lost, nor is it left open.
func TestSealedAfterABatch(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.conn.SetFaults(journaltest.Faults{LoseReply: 1})
		s.add(1)
		wait(100 * time.Millisecond)
		s.add(2)
		other := s.log.Connect(journaltest.Faults{})
		if sealed, err := journal.SealOther(s.t.Context(), other, journal.Sealing{Of: "me", By: "other", Number: 1, Position: 1, Why: "silent"}); !sealed || err != nil {
			t.Fatal(sealed, err)
		}
		s.conn.SetFaults(journaltest.Faults{})
		wait(time.Second)
		s.wantLogged("1: 0/0 stored, and its member sealed after it", "2: 0/0 this member is sealed")
		s.wantEnd(journal.ErrSealed)
		s.wantBatches("1: 1", "2: sealed by other: silent")
	})
}

// A member ends with its own seal, after all that was queued.
func TestOwnSeal(t *testing.T) {
	for name, f := range map[string]journaltest.Faults{"": {}, "acknowledgement lost": {LoseReply: 1}} {
		t.Run(name, func(t *testing.T) {
			play(t, journaltest.Faults{}, nil, func(s *stage) {
				s.add(1)
				wait(time.Second)
				s.conn.SetFaults(f)
				s.add(2, 3)
				if err := s.w.Seal("drained"); err != nil {
					t.Fatal(err)
				}
				wait(time.Millisecond)
				s.conn.SetFaults(journaltest.Faults{})
				wait(time.Second)
				s.wantEnd(nil)
				s.wantLogged("1: 1/1 <nil>", "2: 2/1 <nil>", "3: 2/2 <nil>")
				s.wantBatches("1: 1", "2: 2 3 sealed by me: drained")
				if err := s.w.Seal("again"); !errors.Is(err, journal.ErrEnded) {
					t.Errorf("sealed again: %v", err)
				}
			})
		})
	}
}

// The seal comes after all that was queued, in however many batches.
func TestOwnSealAfterManyBatches(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		for n := range 5 {
			ask := &journal.Ask{Door: journal.Await, Query: make([]byte, 64<<10)}
			if err := s.w.Append(ask, func(r journal.Ref, err error) { s.note(fmt.Sprintf("%d: %v %v", n, r, short(err))) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.w.Seal("drained"); err != nil {
			t.Fatal(err)
		}
		wait(time.Second)
		s.wantEnd(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.logged) != 5 || strings.Contains(fmt.Sprint(s.logged), "ended") {
			t.Errorf("became of what was added: %v", s.logged)
		}
		if n := len(s.written); n < 3 || s.written[n-1].Entries[len(s.written[n-1].Entries)-1].Kind() != journal.KindSeal {
			t.Errorf("%d batches, the last of them %+v", n, s.written[n-1])
		}
	})
}

// A log that is another is doubted for as long as a leader that lost its place may answer, and no
// longer.
func TestRewound(t *testing.T) {
	for name, rewind := range map[string]func(*journaltest.Log){
		"restored":  func(l *journaltest.Log) { l.Restore(1) },
		"made anew": func(l *journaltest.Log) { l.Delete(); l.Create() },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, journaltest.Faults{}, nil, func(s *stage) {
				s.add(1)
				wait(time.Second)
				s.add(2)
				wait(time.Second)
				rewind(s.log)
				s.add(3)
				wait(12*time.Second - 1)
				s.wantLogged("1: 1/1 <nil>", "2: 2/1 <nil>")
				wait(time.Second)
				s.wantLogged("3: 0/0 ended before it was known whether this was stored")
				s.wantEnd(journal.ErrRewound)
			})
		})
	}
}

// An old leader that answers with less than is stored is not believed; the batch is written when
// the new one answers.
func TestOldLeader(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.add(1)
		wait(time.Second)
		s.add(2)
		wait(time.Second)
		now := s.log.Messages()
		s.log.Restore(1)
		s.add(3)
		wait(10 * time.Second)
		s.log.Replace(now)
		wait(3 * time.Second)
		s.wantLogged("1: 1/1 <nil>", "2: 2/1 <nil>", "3: 3/1 <nil>")
		s.wantBatches("1: 1", "2: 2", "3: 3")
	})
}

func TestPermanentRefusal(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.intrude = func(int) error { return fmt.Errorf("%w: too long", journal.ErrPermanent) }
		s.add(1)
		wait(time.Minute)
		s.wantSent("0s after 0")
		s.wantLogged("1: 0/0 the log does not take this")
		s.wantEnd(journal.ErrPermanent)
	})
}

// One that is refused for good after it was sent before may still be on its way.
func TestPermanentRefusalOfAnother(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.intrude = func(n int) error {
			if n == 1 {
				return errors.New("nobody knows")
			}
			return fmt.Errorf("%w: too long", journal.ErrPermanent)
		}
		s.add(1)
		wait(time.Second)
		s.wantLogged("1: 0/0 ended before it was known whether this was stored")
		s.wantEnd(journal.ErrPermanent)
	})
}

// It is not known what happens to batches on their way when the writer ends.
func TestEndedOnItsWay(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.conn.SetFaults(journaltest.Faults{LoseReply: 1})
		s.add(1)
		synctest.Wait()
		s.add(2)
		wait(time.Millisecond)
		s.cancel()
		synctest.Wait()
		s.wantLogged("1: 0/0 ended before it was known whether this was stored", "2: 0/0 the writer has ended")
		s.wantEnd(context.Canceled)
		s.wantBatches("1: 1")
	})
}

// What waits is bounded, and so is each batch; queued entries leave a quarter of it to decisions.
func TestBounds(t *testing.T) {
	decided := 0
	decide := func(d *journal.Draft) uint64 {
		for decided < 1000 {
			if _, err := d.Add(&journal.Told{Tokens: []string{strings.Repeat("x", 500)}}); err != nil {
				break
			}
			decided++
		}
		return 0
	}
	play(t, journaltest.Faults{}, func(o *journal.WriterOptions) { o.Decide = decide }, func(s *stage) {
		release := make(chan error)
		s.intrude = func(int) error { return <-release }
		big := &journal.Ask{Door: journal.Await, Query: make([]byte, 64<<10)}
		n := 0
		for ; n < 1000; n++ {
			if err := s.w.Append(big, nil); err != nil {
				if !errors.Is(err, journal.ErrQueueFull) {
					t.Fatal(err)
				}
				break
			}
			synctest.Wait()
		}
		if n != 1+127 {
			t.Errorf("%d entries of 64 KiB found room, one of them on its way, the others in 8 MiB", n)
		}
		for range 1 + 64 { // two of them fit into a batch
			release <- nil
			wait(time.Millisecond)
		}
		if err := s.w.Append(big, nil); err != nil {
			t.Errorf("with room again: %v", err)
		}
		asks := 0
		for _, m := range s.log.Messages() {
			if len(m.Data) > journal.MaxBatch {
				t.Errorf("a batch of %d bytes", len(m.Data))
			}
			b, err := journal.Decode(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Entries {
				if e.Kind() == journal.KindAsk {
					asks++
				}
			}
		}
		if asks != n || decided != 1000 {
			t.Errorf("%d asks of %d, %d decisions", asks, n, decided)
		}
		for _, e := range []journal.Entry{&journal.Seal{}, &journal.Ask{Door: journal.Await, Query: make([]byte, 127<<10), Trace: strings.Repeat("x", 1025)}} {
			if err := s.w.Append(e, nil); !errors.Is(err, journal.ErrInvalid) {
				t.Errorf("not valid, yet queued: %v", err)
			}
		}
		close(release)
	})
	if _, err := journal.NewWriter(journal.WriterOptions{Member: "a.b", Log: journaltest.New(1).Connect(journaltest.Faults{})}); err == nil {
		t.Error("a writer for no member")
	}
}

func TestFull(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.log.SetRoom(1)
		s.add(1)
		wait(time.Minute)
		s.wantLogged()
		s.log.SetRoom(0)
		wait(time.Second)
		s.wantLogged("1: 1/1 <nil>")
	})
}

// Without a leader, or cut off, a writer waits for as long as it takes.
func TestNoLeader(t *testing.T) {
	play(t, journaltest.Faults{}, nil, func(s *stage) {
		s.log.SetLeader(false)
		s.add(1)
		wait(time.Minute)
		s.wantLogged()
		s.log.SetLeader(true)
		s.conn.Cut(true)
		wait(time.Minute)
		s.conn.Cut(false)
		wait(3 * time.Second)
		s.wantLogged("1: 1/1 <nil>")
		s.wantBatches("1: 1")
	})
}
