// What every log must do, checked on the one in memory, on a server, and on three.

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

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// subject is a log under test and its surroundings.
type subject struct {
	t      *testing.T
	log    journal.Log
	within time.Duration   // for what happens by itself
	room   func(bytes int) // 0: no bound
	remake func()          // delete it, and make it anew
}

// conformance is what a log must do, by name. Each check has a log of its own.
var conformance = map[string]func(s *subject){
	"empty":       emptyIsNoError,
	"order":       oneOrderForAll,
	"one winner":  oneWinner,
	"last":        lastIsTheMembersOwn,
	"read on":     readOnFromAnywhere,
	"purged":      purgedIsPassedOver,
	"get":         getIsExact,
	"followed":    followedAsStored,
	"full":        fullIsSaid,
	"made anew":   madeAnewIsEmpty,
	"cancelled":   cancelledIsNoVerdict,
	"whole batch": wholeBatchesPass,
	"everybody":   everybodyReadsTheSame,
	"sealing":     sealedOnce,
}

func TestConformanceOfFake(t *testing.T) {
	for name, check := range conformance {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := journaltest.New(1)
				check(&subject{t: t, log: l.Connect(journaltest.Faults{}), within: time.Second,
					room: l.SetRoom, remake: func() { l.Delete(); l.Create() }})
			})
		})
	}
}

func TestConformanceOfOneServer(t *testing.T) {
	for name, check := range conformance {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(newServers(t, 1).subject(t, name))
		})
	}
}

func TestConformanceOfThreeServers(t *testing.T) {
	c := newServers(t, 3)
	for name, check := range conformance {
		t.Run(name, func(t *testing.T) { check(c.subject(t, name)) })
	}
}

func (s *subject) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

// put appends until there is a verdict: while a leader is chosen no server responds.
func (s *subject) put(m journal.Member, expect uint64, data string) (uint64, error) {
	for begun, doubted := time.Now(), false; ; <-time.After(20 * time.Millisecond) {
		at, err := s.log.Append(s.ctx(), journal.Append{Member: m, Expect: expect, Data: []byte(data)})
		for _, verdict := range []error{journal.ErrRefused, journal.ErrFull, journal.ErrPermanent} {
			if errors.Is(err, verdict) && doubted {
				if last, e := s.log.Last(s.ctx(), m); e == nil && string(last.Data) == data {
					return last.Position, nil
				}
			}
			if errors.Is(err, verdict) {
				return at, err
			}
		}
		if err == nil || time.Since(begun) > s.within {
			return at, err
		}
		doubted = true
	}
}

// append appends what must be appended.
func (s *subject) append(m journal.Member, expect uint64, data string) uint64 {
	s.t.Helper()
	at, err := s.putRight(m, expect, data)
	if err != nil || at == 0 {
		s.t.Fatalf("append after %d: position %d, %v", expect, at, err)
	}
	return at
}

// putRight is put of what is expected rightly. A cluster may refuse that, too, right after the
// batch before it: as a writer does, it is tried again while that batch is still the newest.
func (s *subject) putRight(m journal.Member, expect uint64, data string) (uint64, error) {
	s.t.Helper()
	for begun := time.Now(); ; <-time.After(20 * time.Millisecond) {
		at, err := s.put(m, expect, data)
		if !errors.Is(err, journal.ErrRefused) {
			return at, err
		}
		if last, e := s.log.Last(s.ctx(), m); e != nil || last.Position != expect || time.Since(begun) > s.within {
			s.t.Fatalf("append after %d: position %d, %v; the newest is %+v, %v", expect, at, err, last, e)
		}
	}
}

func (s *subject) refused(m journal.Member, expect uint64) {
	s.t.Helper()
	at, err := s.put(m, expect, "wrong")
	if !errors.Is(err, journal.ErrRefused) || errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrPermanent) {
		s.t.Errorf("append after %d: position %d, %v, want a refusal", expect, at, err)
	}
}

func (s *subject) last(m journal.Member) journal.Message {
	s.t.Helper()
	got, err := s.log.Last(s.ctx(), m)
	if err != nil || got.Member != m {
		s.t.Fatalf("last of %s: %+v, %v", m, got, err)
	}
	return got
}

// next reads on until there is something: the server that responds may be behind.
func (s *subject) next(from uint64, want int) []journal.Message {
	s.t.Helper()
	var got []journal.Message
	s.eventually(fmt.Sprintf("%d messages from %d on", want, from), func() bool {
		var err error
		got, err = s.log.Next(s.ctx(), from)
		return err == nil && len(got) >= want
	})
	return got
}

func (s *subject) eventually(what string, holds func() bool) {
	s.t.Helper()
	for begun := time.Now(); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Since(begun) > s.within {
			s.t.Fatalf("not within %v: %s", s.within, what)
		}
	}
}

func emptyIsNoError(s *subject) {
	if m := s.last("m"); m.Position != 0 || m.Data != nil {
		s.t.Errorf("last of nobody: %+v", m)
	}
	if got, err := s.log.Next(s.ctx(), 1); err != nil || len(got) != 0 {
		s.t.Errorf("next of nothing: %v, %v", got, err)
	}
	s.refused("m", 7)
}

func oneOrderForAll(s *subject) {
	a1 := s.append("a", 0, "a1")
	b1 := s.append("b", 0, "b1")
	a2 := s.append("a", a1, "a2")
	if b1 != a1+1 || a2 != b1+1 {
		s.t.Errorf("positions %d, %d, %d", a1, b1, a2)
	}
	for _, wrong := range []uint64{0, a1, b1, a2 + 100} {
		s.refused("a", wrong)
	}
	s.refused("c", a1)
	if m := s.last("a"); m.Position != a2 {
		s.t.Errorf("after refusals the last is %+v", m)
	}
}

func oneWinner(s *subject) {
	const writers = 32
	var mu sync.Mutex
	won := map[string]uint64{}
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			data := fmt.Sprint("writer ", i)
			switch at, err := s.put("m", 0, data); {
			case err == nil:
				mu.Lock()
				won[data] = at
				mu.Unlock()
			case !errors.Is(err, journal.ErrRefused):
				s.t.Error(err)
			}
		})
	}
	wg.Wait()
	if m := s.last("m"); len(won) != 1 || won[string(m.Data)] != m.Position {
		s.t.Errorf("%v won, the last is %q at %d", won, m.Data, m.Position)
	}
}

func lastIsTheMembersOwn(s *subject) {
	before := time.Now().Add(-time.Second)
	at := s.append("a", 0, "first")
	s.append("b", 0, "of another")
	at = s.append("a", at, "\x00second\xff")
	s.append("b", s.last("b").Position, "of another")
	m := s.last("a")
	if m.Position != at || string(m.Data) != "\x00second\xff" || m.Stored.Before(before) || m.Stored.After(time.Now().Add(time.Second)) {
		s.t.Errorf("last: %+v", m)
	}
}

// many appends n messages of one member and gives the position of the first.
func (s *subject) many(n int) (first uint64) {
	at := uint64(0)
	for i := range n {
		at = s.append("m", at, fmt.Sprint("message ", i))
		if i == 0 {
			first = at
		}
	}
	return first
}

func (s *subject) contiguous(got []journal.Message, from uint64) {
	s.t.Helper()
	for i, m := range got {
		if m.Position != from+uint64(i) || m.Member != "m" || !strings.HasPrefix(string(m.Data), "message ") || m.Stored.IsZero() {
			s.t.Fatalf("message %d from %d on: %+v", i, from, m)
		}
	}
}
