// What every Store must do, run against the one in memory, one server and a cluster of three.

package record_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"protocolq/worker/record"
)

// store is all that the parts of a worker ask of one.
type store interface {
	record.Store
	Change(ctx context.Context, name string, edit func(last []byte) ([]byte, error)) error
	Watch(pattern string, changed func(record.Record, error)) (stop func(), err error)
}

// conformance is what a Store must do, by name. Each has records of its own, whose names begin with
// base.
var conformance = map[string]func(t *testing.T, s store, base string){
	"absent":     absentIsNoError,
	"round trip": recordComesBack,
	"sequence":   onlyTheRightSequence,
	"one winner": oneWinner,
	"cancelled":  cancelledIsNoVerdict,
	"change":     manyChangesAllCount,
	"no change":  noContentChangesNothing,
	"watch":      changesAreSeen,
}

func conforms(t *testing.T, s store) {
	t.Helper()
	for name, check := range conformance {
		t.Run(name, func(t *testing.T) { check(t, s, strings.ReplaceAll(name, " ", "-")) })
	}
}

func TestConformanceOfMemory(t *testing.T) { conforms(t, &record.Memory{}) }

func TestConformanceOfStream(t *testing.T) { t.Parallel(); conforms(t, newStream(t, 1)) }

func TestConformanceOfClusteredStream(t *testing.T) { conforms(t, newStream(t, 3)) }

func put(t *testing.T, s store, name, data string, expect uint64) uint64 {
	t.Helper()
	seq, err := s.Put(t.Context(), name, []byte(data), expect)
	if err != nil || seq == 0 {
		t.Fatalf("put over %d: sequence %d, %v", expect, seq, err)
	}
	return seq
}

// wantRecord waits for it: on a cluster a replica may be a moment behind.
func wantRecord(t *testing.T, s store, name, data string, seq uint64) {
	t.Helper()
	var r record.Record
	within(t, "the record is read", func() bool {
		var err error
		r, err = s.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return r.Seq == seq
	})
	if r.Name != name || string(r.Data) != data || time.Since(r.Time).Abs() > time.Minute {
		t.Errorf("read %+v, want %q", r, data)
	}
}

// within waits until ok is true; this is real time, as the server's is.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func absentIsNoError(t *testing.T, s store, base string) {
	r, err := s.Get(t.Context(), base+".none")
	if err != nil || r.Name != base+".none" || r.Seq != 0 || len(r.Data) > 0 || !r.Time.IsZero() {
		t.Errorf("absent record: %+v, %v", r, err)
	}
}

func recordComesBack(t *testing.T, s store, base string) {
	name := base + ".record"
	first := put(t, s, name, "one", 0)
	wantRecord(t, s, name, "one", first)
	second := put(t, s, name, "two", first)
	if second <= first {
		t.Errorf("sequence %d after %d", second, first)
	}
	wantRecord(t, s, name, "two", second)
}

func onlyTheRightSequence(t *testing.T, s store, base string) {
	name := base + ".record"
	first := put(t, s, name, "one", 0)
	for _, wrong := range []uint64{0, first + 1, first + 1000} {
		if _, err := s.Put(t.Context(), name, []byte("wrong"), wrong); !errors.Is(err, record.ErrConflict) {
			t.Errorf("put over %d where %d stands: %v", wrong, first, err)
		}
	}
	if _, err := s.Put(t.Context(), base+".absent", []byte("wrong"), first); !errors.Is(err, record.ErrConflict) {
		t.Errorf("put over %d where nothing stands: %v", first, err)
	}
	put(t, s, base+".other", "of its own", 0)
	wantRecord(t, s, name, "one", first)
}

func oneWinner(t *testing.T, s store, base string) {
	name := base + ".record"
	for round, expect := 0, uint64(0); round < 5; round++ {
		var mu sync.Mutex
		won := map[string]uint64{}
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				data := fmt.Sprint(round, "/", i)
				seq, err := s.Put(t.Context(), name, []byte(data), expect)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won[data] = seq
				} else if !errors.Is(err, record.ErrConflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		// On a cluster a correct write may be refused while a wrong one is in progress: then neither has
		// won.
		if len(won) > 1 {
			t.Fatalf("%d have written over %d: %v", len(won), expect, won)
		}
		for data, seq := range won {
			wantRecord(t, s, name, data, seq)
			expect = seq
		}
	}
}

func cancelledIsNoVerdict(t *testing.T, s store, base string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Put(ctx, base+".record", []byte("one"), 0)
	if !errors.Is(err, context.Canceled) || errors.Is(err, record.ErrConflict) || errors.Is(err, record.ErrFull) || errors.Is(err, record.ErrAway) {
		t.Errorf("put without time: %v", err)
	}
	if _, err := s.Get(ctx, base+".record"); !errors.Is(err, context.Canceled) {
		t.Errorf("get without time: %v", err)
	}
}

func manyChangesAllCount(t *testing.T, s store, base string) {
	name := base + ".record"
	const changers, each = 3, 4
	var all sync.WaitGroup
	for range changers {
		all.Go(func() {
			for range each {
				if err := s.Change(t.Context(), name, func(last []byte) ([]byte, error) { return append(slices.Clone(last), 'x'), nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	within(t, "all changes are read", func() bool {
		r, err := s.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Data) == strings.Repeat("x", changers*each)
	})
}

func noContentChangesNothing(t *testing.T, s store, base string) {
	name := base + ".record"
	seq := put(t, s, name, "one", 0)
	wantRecord(t, s, name, "one", seq)
	if err := s.Change(t.Context(), name, func(last []byte) ([]byte, error) {
		if string(last) != "one" {
			t.Errorf("edits %q", last)
		}
		return nil, nil
	}); err != nil {
		t.Error(err)
	}
	refused := errors.New("refused")
	if err := s.Change(t.Context(), name, func([]byte) ([]byte, error) { return []byte("two"), refused }); !errors.Is(err, refused) {
		t.Errorf("an edit that fails: %v", err)
	}
	wantRecord(t, s, name, "one", seq)
}

func changesAreSeen(t *testing.T, s store, base string) {
	var mu sync.Mutex
	var seen []record.Record
	stop, err := s.Watch(base+".*.halt", func(r record.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, base+".a.rate", "not asked for", 0)
	put(t, s, base+".a.b.halt", "not asked for", 0)
	one := put(t, s, base+".a.halt", "one", 0)
	two := put(t, s, base+".b.halt", "two", 0)
	three := put(t, s, base+".a.halt", "three", one)
	last := func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		if len(seen) == 0 {
			return 0
		}
		return seen[len(seen)-1].Seq
	}
	within(t, "the last change is seen", func() bool { return last() == three })
	stop()
	put(t, s, base+".a.halt", "after the end", three)
	for i, want := range []record.Record{{Name: base + ".a.halt", Data: []byte("one"), Seq: one}, {Name: base + ".b.halt", Data: []byte("two"), Seq: two},
		{Name: base + ".a.halt", Data: []byte("three"), Seq: three}} {
		if i >= len(seen) || seen[i].Name != want.Name || string(seen[i].Data) != string(want.Data) || seen[i].Seq != want.Seq || seen[i].Time.IsZero() {
			t.Fatalf("seen %+v, want %+v at %d", seen, want, i)
		}
	}
	if len(seen) != 3 {
		t.Errorf("seen %+v, want 3", seen)
	}
}
