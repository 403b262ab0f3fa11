// A stage for exact times: two workers on the test's own clock, without NATS and without a network.

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/limit"
	"protocolq/worker/partner"
	"protocolq/worker/querylog"
	"protocolq/worker/retry"
)

const (
	onePartner   = "2088000000000001"
	otherPartner = "2088000000000002"
)

// records is a store in memory. Every worker sees each change at once.
type records struct {
	mu      sync.Mutex // guards what follows
	seq     uint64
	entries map[string]dedupe.Entry
	watch   []func(dedupe.Entry)
}

// view is the store as one worker has it: cut off, it is as good as dead for the others.
type view struct {
	*records
	cut atomic.Bool
}

var errCut = errors.New("cut off")

// Put implements [dedupe.Store].
func (v *view) Put(_ context.Context, key string, rec *dedupe.Record, t dedupe.Terms) (uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.cut.Load():
		return 0, errCut
	case v.entries[key].Seq != t.Expect:
		return 0, dedupe.ErrConflict
	}
	v.seq++
	v.entries[key] = dedupe.Entry{Key: key, Seq: v.seq, Time: time.Now(), Record: *rec}
	for _, observe := range v.watch {
		observe(v.entries[key])
	}
	return v.seq, nil
}

// Get implements [dedupe.Store].
func (v *view) Get(_ context.Context, key string) (dedupe.Entry, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cut.Load() {
		return dedupe.Entry{}, errCut
	}
	e := v.entries[key]
	e.Key = key
	return e, nil
}

// stage is two workers without doors, and what the gateway saw since the start.
type stage struct {
	t       *testing.T
	begun   time.Time
	gateway *simulator.Simulator
	workers [2]*Worker
	stores  [2]*view
}

// scenery is what a test may want otherwise than it is by default.
type scenery struct {
	latency time.Duration // of the gateway; 0
	slots   int           // of each worker; 1
}

// onStage runs body in a bubble of its own time. What is drawn for the waits between attempts is
// 2 ns at most, which no time that is looked at shows.
func onStage(t *testing.T, o scenery, body func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		key, err := mapi.ParseKey(mapi.MD5, []byte("0123456789abcdefghijklmnopqrstuv"))
		if err != nil {
			t.Fatal(err)
		}
		s := &stage{t: t, begun: time.Now()}
		if s.gateway, err = simulator.New(simulator.Options{Latency: o.latency, Partners: []simulator.Partner{{ID: onePartner, Key: key}, {ID: otherPartner, Key: key}}}); err != nil {
			t.Fatal(err)
		}
		all := &records{entries: map[string]dedupe.Entry{}}
		for i := range s.workers {
			client, err := gateway.New(gateway.Options{RoundTripper: s.gateway, Partners: []gateway.Partner{{ID: onePartner, Key: key}, {ID: otherPartner, Key: key}}})
			if err != nil {
				t.Fatal(err)
			}
			s.stores[i] = &view{records: all}
			s.workers[i] = actor(t, fmt.Sprint("w", i), s.stores[i], client, max(o.slots, 1))
		}
		body(s)
		for i := range s.workers {
			s.stop(i, time.Minute)
		}
	})
}

// actor is a worker without doors and log: the rest of what New makes needs a server.
func actor(t *testing.T, owner string, store *view, g Asker, slots int) *Worker {
	t.Helper()
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Gateway: g, Names: names, Partners: []string{onePartner, otherPartner}, Slots: slots, Retry: retry.Policy{Initial: 1, Max: 1}}
	o.defaults()
	w := &Worker{o: o, owner: owner, log: slog.New(slog.DiscardHandler), metrics: newMetrics(), budget: limit.NewBudget(100)}
	w.lines, w.hold, w.gate = querylog.Discard, newHold(), partner.New(partner.Options{Partners: o.Partners})
	w.handle = w.handler()
	runs := 0
	w.group, err = dedupe.New(dedupe.Options{Store: store, Owner: owner, NewRun: func() string { runs++; return fmt.Sprint(owner, " run ", runs) }, Slots: o.Slots},
		dedupe.Work[messages.Query]{Run: w.run, Inherit: w.inherit, GaveUp: w.gaveUp, Admit: w.awaitTurn, Held: w.held})
	if err != nil {
		t.Fatal(err)
	}
	store.watch = append(store.watch, w.group.Observe)
	return w
}

// stop closes a worker as a signal does, and returns when it has ended.
func (s *stage) stop(worker int, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = s.workers[worker].group.Close(ctx)
}

// received is what an asker got, and when.
type received struct {
	messages.Result
	kind  dedupe.Kind
	after time.Duration // of the ask
}

func (h *received) String() string {
	return fmt.Sprintf("%v after %v: %s %s, %d attempts, again in %d ms", h.kind, h.after, h.Outcome, h.Code, h.Attempts, h.RetryAfterMs)
}

// ask asks a worker for an account whose part the practice gateway plays, with so much patience.
func (s *stage) ask(worker int, part string, patience time.Duration, change ...func(*messages.Query)) *received {
	w, begun, h := s.workers[worker], time.Now(), &received{}
	q := messages.Query{V: 1, Partner: onePartner, UserEmail: part + "@example.com"}
	for _, c := range change {
		c(&q)
	}
	a := w.ask("token", q, begun, messages.DoorQuery)
	a.Until = begun.Add(patience)
	a.Tell = func(v dedupe.Verdict) {
		h.Result, h.kind, h.after = w.result(&q, &v), v.Kind, time.Since(begun).Truncate(time.Microsecond)
	}
	w.group.Join(q.KeyToken(), a)
	synctest.Wait()
	return h
}

// pass lets time go by and all that is due happen.
func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// wantCalls compares when the gateway was called, counted from the start.
func (s *stage) wantCalls(at ...time.Duration) {
	s.t.Helper()
	var got []time.Duration
	for _, c := range s.gateway.Calls() {
		got = append(got, time.UnixMicro(c.Started).Sub(s.begun))
	}
	if fmt.Sprint(got) != fmt.Sprint(at) {
		s.t.Errorf("called after %v, want %v", got, at)
	}
}

const sec = time.Second
