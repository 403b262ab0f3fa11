// What every Store must do, run against the one in memory and the one on a real server.

package dedupe_test

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
	"github.com/google/go-cmp/cmp/cmpopts"

	"protocolq/worker/dedupe"
)

// subject is a store under test and its surroundings.
type subject struct {
	t     *testing.T
	store dedupe.Store
	small dedupe.Store // one with room for a few records only
	watch func(g *dedupe.Group[string])
	pause func(time.Duration) // lets time pass
	late  time.Duration       // how late an ended record may go
}

// conformance is what a Store must do, by name.
var conformance = map[string]func(s *subject, key string){
	"absent":        absentIsNoError,
	"one winner":    oneWinner,
	"sequence":      onlyTheRightSequence,
	"round trip":    recordComesBack,
	"whole seconds": timeIsRoundedUp,
	"expiry":        endedIsAbsent,
	"change heard":  changeIsHeard,
	"full":          fullIsSaid,
	"cancelled":     cancelledIsNoVerdict,
}

func TestConformanceOfFake(t *testing.T) {
	for name, check := range conformance {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, small := newFakeStore(), newFakeStore()
				small.most = 3
				check(&subject{t: t, store: store, small: small, pause: time.Sleep,
					watch: func(g *dedupe.Group[string]) { store.hear = append(store.hear, g.Observe) }}, keyOf(name))
			})
		})
	}
}

func TestConformanceOfStream(t *testing.T) {
	store, small := newStream(t, "state", 0), newStream(t, "small", 4096)
	for name, check := range conformance {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(&subject{t: t, store: store, small: small, late: 3 * time.Second,
				pause: func(d time.Duration) { <-time.After(d) },
				watch: func(g *dedupe.Group[string]) { watchStream(t, store, g) }}, keyOf(name))
		})
	}
}

func keyOf(name string) string { return strings.ReplaceAll(name, " ", "-") }

func (s *subject) put(key string, expect uint64, ttl time.Duration) uint64 {
	s.t.Helper()
	seq, err := s.store.Put(s.t.Context(), key, running("r"), dedupe.Terms{Expect: expect, TTL: ttl})
	if err != nil || seq == 0 {
		s.t.Fatalf("put over %d: sequence %d, %v", expect, seq, err)
	}
	return seq
}

func (s *subject) get(key string) dedupe.Entry {
	s.t.Helper()
	e, err := s.store.Get(s.t.Context(), key)
	if err != nil || e.Key != key {
		s.t.Fatalf("get: %+v, %v", e, err)
	}
	return e
}

func running(run string) *dedupe.Record {
	return &dedupe.Record{Phase: dedupe.Running, Run: run, Owner: "me", Attempt: 1, LeaseMs: 12000, Question: []byte("question")}
}

func absentIsNoError(s *subject, key string) {
	if e := s.get(key); e.Seq != 0 || e.Record.Run != "" {
		s.t.Errorf("absent key: %+v", e)
	}
}

func oneWinner(s *subject, key string) {
	const claimers = 64
	var mu sync.Mutex
	var won []string
	var wg sync.WaitGroup
	for i := range claimers {
		wg.Go(func() {
			run := fmt.Sprintf("run%d", i)
			switch _, err := s.store.Put(s.t.Context(), key, running(run), dedupe.Terms{Expect: 0, TTL: time.Minute}); {
			case err == nil:
				mu.Lock()
				won = append(won, run)
				mu.Unlock()
			case !errors.Is(err, dedupe.ErrConflict):
				s.t.Error(err)
			}
		})
	}
	wg.Wait()
	if e := s.get(key); len(won) != 1 || e.Record.Run != won[0] {
		s.t.Errorf("%d claimers: %v won, the record is that of %q", claimers, won, e.Record.Run)
	}
}

func onlyTheRightSequence(s *subject, key string) {
	first := s.put(key, 0, time.Minute)
	second := s.put(key, first, time.Minute)
	if second <= first {
		s.t.Errorf("sequence %d after %d", second, first)
	}
	for _, wrong := range []uint64{0, first, second + 1000} {
		if _, err := s.store.Put(s.t.Context(), key, running("wrong"), dedupe.Terms{Expect: wrong, TTL: time.Minute}); !errors.Is(err, dedupe.ErrConflict) || errors.Is(err, dedupe.ErrFull) {
			s.t.Errorf("put over %d with %d there: %v, want a conflict", wrong, second, err)
		}
	}
	if _, err := s.store.Put(s.t.Context(), key+"-absent", running("wrong"), dedupe.Terms{Expect: first, TTL: time.Minute}); !errors.Is(err, dedupe.ErrConflict) {
		s.t.Errorf("put over %d with nothing there: %v, want a conflict", first, err)
	}
	if e := s.get(key); e.Seq != second || e.Record.Run != "r" {
		s.t.Errorf("after refused puts: %+v", e)
	}
}

func recordComesBack(s *subject, key string) {
	full := &dedupe.Record{Phase: dedupe.Done, Run: "run", Owner: "张三", Attempt: 3, Journal: []byte{0, 1, 255}, Deaths: 2, LeaseMs: 12000,
		Question: []byte("0123456789abcdef"), Answer: []byte("answer"), KeepMs: 86_400_000, Failed: true, Once: true,
		Prev: &dedupe.Kept{Run: "before", Answer: []byte("earlier"), AtMs: 1, KeepMs: 2}}
	for i, rec := range []*dedupe.Record{full, {Phase: dedupe.Released}, {Phase: dedupe.Suspect, Run: "s"}} {
		key := fmt.Sprint(key, i)
		before := time.Now()
		seq, err := s.store.Put(s.t.Context(), key, rec, dedupe.Terms{Expect: 0, TTL: time.Minute})
		if err != nil {
			s.t.Fatal(err)
		}
		e := s.get(key)
		if d := cmp.Diff(*rec, e.Record, cmpopts.EquateEmpty()); d != "" || e.Seq != seq {
			s.t.Errorf("sequence %d, want %d: %s", e.Seq, seq, d)
		}
		if e.Time.Before(before) || e.Time.After(time.Now()) {
			s.t.Errorf("written at %v, not between %v and now", e.Time, before)
		}
	}
}

// A record must never end before its time: a shorter one would let a key be asked again too soon.
func timeIsRoundedUp(s *subject, key string) {
	var wg sync.WaitGroup
	for ttl, want := range map[time.Duration]time.Duration{0: time.Second, 1: time.Second, time.Second: time.Second,
		1100 * time.Millisecond: 2 * time.Second} {
		wg.Go(func() {
			if d := s.lives(key+fmt.Sprint(int(ttl)), ttl); d < want || d > want+s.late+50*time.Millisecond {
				s.t.Errorf("with %v to live gone after %v, want %v", ttl, d, want)
			}
		})
	}
	wg.Wait()
}

// lives is how long a record with this time to live is there.
func (s *subject) lives(key string, ttl time.Duration) time.Duration {
	begun := time.Now()
	_, err := s.store.Put(s.t.Context(), key, running("r"), dedupe.Terms{Expect: 0, TTL: ttl})
	for err == nil && time.Since(begun) < 10*time.Second {
		s.pause(20 * time.Millisecond)
		var e dedupe.Entry
		if e, err = s.store.Get(s.t.Context(), key); err == nil && e.Seq == 0 {
			break
		}
	}
	if err != nil {
		s.t.Error(err)
	}
	return time.Since(begun)
}

func endedIsAbsent(s *subject, key string) {
	first := s.put(key, 0, time.Second)
	for s.get(key).Seq != 0 {
		s.pause(20 * time.Millisecond)
	}
	if _, err := s.store.Put(s.t.Context(), key, running("late"), dedupe.Terms{Expect: first, TTL: time.Minute}); !errors.Is(err, dedupe.ErrConflict) {
		s.t.Errorf("put over an ended record: %v, want a conflict", err)
	}
	if again := s.put(key, 0, time.Minute); again <= first {
		s.t.Errorf("sequence %d after %d has ended", again, first)
	}
}

func changeIsHeard(s *subject, key string) {
	g, err := dedupe.New(dedupe.Options{Store: s.store, Owner: "me", NewRun: func() string { return "r" }},
		dedupe.Work[string]{Run: func(context.Context, *dedupe.Lease, string) (dedupe.Outcome, error) { return dedupe.Outcome{}, nil }, GaveUp: gaveUp})
	if err != nil {
		s.t.Fatal(err)
	}
	s.watch(g)
	first := s.put(key, 0, time.Minute)
	seq, err := s.store.Put(s.t.Context(), key, &dedupe.Record{Phase: dedupe.Done, Run: "r", Question: []byte("question"),
		Answer: []byte("answer"), KeepMs: 60_000}, dedupe.Terms{Expect: first, TTL: time.Minute})
	if err != nil {
		s.t.Fatal(err)
	}
	for begun := time.Now(); !g.Known(key, seq); s.pause(10 * time.Millisecond) {
		if time.Since(begun) > 5*time.Second {
			s.t.Fatal("change not heard of within 5 s")
		}
	}
	v, ok := g.Remembered(key, &dedupe.Ask[string]{Question: []byte("question"), Stored: time.Now(), MaxAge: -1, Until: time.Now().Add(time.Minute)})
	if !ok || string(v.Answer) != "answer" || v.Run != "r" || v.Mine || !v.At.Equal(s.get(key).Time) {
		s.t.Errorf("heard %+v, %v", v, ok)
	}
	if g.Known(key, seq+1) {
		s.t.Error("knows of a change that was not made")
	}
}

func fullIsSaid(s *subject, key string) {
	rec := running("r")
	rec.Journal = make([]byte, 700)
	for i := range 100 {
		switch _, err := s.small.Put(s.t.Context(), fmt.Sprint(key, i), rec, dedupe.Terms{Expect: 0, TTL: time.Minute}); {
		case err == nil:
		case i == 0 || !errors.Is(err, dedupe.ErrFull) || errors.Is(err, dedupe.ErrConflict):
			s.t.Fatalf("record %d: %v", i, err)
		default:
			return
		}
	}
	s.t.Error("100 records had room")
}

func cancelledIsNoVerdict(s *subject, key string) {
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	if _, err := s.store.Put(ctx, key, running("r"), dedupe.Terms{Expect: 0, TTL: time.Minute}); err == nil || errors.Is(err, dedupe.ErrConflict) || errors.Is(err, dedupe.ErrFull) {
		s.t.Errorf("put with an ended context: %v", err)
	}
}
