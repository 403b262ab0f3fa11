// What flights cost: memory while asks wait, time for a question.

package flight_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// still is a fold of one member, and flights whose gate never opens.
type still struct {
	gate   bool
	own    fleet.Own
	draft  *fleet.Draft
	number uint64 // of the batch sent last
	calls  []flight.Request
}

func (s *still) Try(string) (func(), bool) { return func() {}, s.gate }
func (s *still) May(string) bool           { return true }
func (s *still) Enter(string)              {}
func (s *still) Fence() error              { return nil }
func (s *still) Call(r flight.Request)     { s.calls = append(s.calls, r) }
func (s *still) Wake()                     {}
func (s *still) Read(journal.Ref)          {}
func (s *still) Entries() []journal.Entry  { return s.draft.Entries }
func (s *still) Add(e journal.Entry, k journal.Key) error {
	s.draft.Add(e, k)
	return nil
}

func (s *still) flights(tb testing.TB, state *fleet.State) *flight.Flights {
	runs := 0
	f, err := flight.New(flight.Options{
		Gate: s, Caller: s, Journal: s, Words: words, Result: func(string, int) []byte { return nil },
		NewRun: func() string { runs++; return fmt.Sprint("r", runs) },
		Waits:  func() func() time.Duration { return func() time.Duration { return 0 } },
		Slots:  1 << 20, Looks: 1 << 20, Parked: 1 << 21,
	}, state, &s.own)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func numbered(i int) (k journal.Key) {
	// As a hash's, all of its bytes differ.
	binary.LittleEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(k[8:], uint64(i)*0xbf58476d1ce4e5b9)
	return k
}

// parkMany has so many submitted asks, each of its own key, wait for a gate that is shut.
func parkMany(tb testing.TB, n int) (fold, index int) {
	s := &still{own: fleet.Own{ID: "a"}}
	state := fleet.New(fleetOptions, 1)
	before := inUse()
	for position, at := uint64(1), 0; at < n || position == 1; position++ {
		b := &journal.Batch{Head: journal.Head{Number: position, Read: position - 1}, Member: "a", Position: position, Stored: time.Unix(int64(position), 0)}
		for ; position > 1 && at < n && len(b.Entries) < 1000; at++ {
			b.Entries = append(b.Entries, &journal.Ask{
				Token: fmt.Sprintf("token-%016d", at), Key: numbered(at), Question: journal.Hash{1}, Door: journal.Submit, Partner: "2088123456789012",
				Asker: "shop", MaxAge: -1, Left: time.Hour + time.Duration(at)*time.Millisecond,
			})
		}
		if _, err := state.Apply(b, fleet.Heard{At: time.Duration(position)}); err != nil {
			tb.Fatal(err)
		}
	}
	fold = inUse() - before
	before = inUse()
	f := s.flights(tb, state)
	s.draft = s.own.Draft(state, s.number+1)
	f.Decide(s, time.Second)
	index = inUse() - before
	if f.Parked() != n {
		tb.Fatalf("%d asks are parked, want %d", f.Parked(), n)
	}
	runtime.KeepAlive(state)
	return fold, index
}

func inUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// 100,000 submitted asks that wait take at most 20 MB beside what the fold holds of them.
func TestParkedMemory(t *testing.T) {
	fold, index := parkMany(t, 100_000)
	t.Logf("100,000 parked asks: %.1f MB in flights, %.1f MB in the fold", float64(index)/1e6, float64(fold)/1e6)
	if index > 20_000_000 {
		t.Errorf("%d bytes, want at most 20 MB", index)
	}
}

func BenchmarkParked(b *testing.B) {
	for b.Loop() {
		fold, index := parkMany(b, 100_000)
		b.ReportMetric(float64(index)/1e6, "MB/flights")
		b.ReportMetric(float64(fold)/1e6, "MB/fold")
	}
}

// A question from its ask to its answer, many in a batch, without the call.
func BenchmarkQuestion(b *testing.B) {
	const batch = 100
	s := &still{gate: true, own: fleet.Own{ID: "a"}}
	state := fleet.New(fleetOptions, 1)
	f := s.flights(b, state)
	position, now, n := uint64(0), time.Duration(0), 0
	write := func() {
		entries := s.own.Sent().Entries
		s.number++
		position++
		now += time.Millisecond
		x := &journal.Batch{Head: journal.Head{Number: position, Read: position - 1}, Member: "a", Position: position, Entries: entries, Stored: time.Unix(0, int64(now))}
		f.Stored(position, entries, now)
		c, err := state.Apply(x, fleet.Heard{At: now})
		if err != nil {
			b.Fatal(err)
		}
		s.own.Applied(position)
		f.Applied(x, c, now)
	}
	s.draft = s.own.Draft(state, s.number+1)
	write()
	b.ReportAllocs()
	for b.Loop() {
		if n++; n%batch != 0 {
			continue
		}
		s.draft = s.own.Draft(state, s.number+1)
		for i := range batch {
			s.draft.Add(&journal.Ask{Token: fmt.Sprint(n+i, "t"), Key: numbered(n + i), Door: journal.Await, Partner: "p", Asker: "a", MaxAge: -1})
		}
		f.Decide(s, now)
		write()
		calls := s.calls
		s.calls = nil
		if len(calls) != batch {
			b.Fatalf("%d calls of %d", len(calls), batch)
		}
		for _, r := range calls {
			f.Ended(r, answered, now)
		}
		s.draft = s.own.Draft(state, s.number+1)
		f.Decide(s, now)
		write()
		told := &journal.Told{}
		for _, d := range state.Owed("a") {
			told.Entries = append(told.Entries, d.Entry)
		}
		s.draft = s.own.Draft(state, s.number+1)
		s.draft.Add(told)
		write()
	}
	if f.Open() != 0 {
		b.Errorf("%d runs are open", f.Open())
	}
}
