// Promises that hold whichever worker dies: recorded before told, one event and one line for each
// run.

package worker_test

import (
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// Workers die one after another during asks of both doors. Every asker gets an answer, not before
// it is in the journal, and each run has its event and its line.
func TestPromiseRecordedBeforeToldWhoeverDies(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 200 * time.Millisecond})
	one, other := f.start(brief, written(t)), f.start(brief, written(t))
	f.tries = 3 // queries that had arrived and were not stored yet are asked again
	const keys = 40
	for _, q := range many("signed+submitted", keys/4) {
		f.submits(f.names.Submit(), q)
	}
	answers := f.askAll(append(many("signed", keys), many("signed", keys)...)...)
	owner(t, one)
	one.cut()
	owner(t, other)
	f.start(brief, written(t))
	within(t, "half of the calls answered", func() bool { return f.gateway.Stats().Conclusive >= keys/2 })
	other.cut()
	told := answers()
	f.wantRest()
	recorded := f.answered()
	for _, r := range told {
		if at, ok := recorded[r.Run]; r.err == nil && (!ok || r.at.Before(at)) {
			t.Errorf("run %s told at %v, recorded %v at %v", r.Run, r.at, ok, at)
		}
	}
	f.wantEach(keys + keys/4)
}

// wantEach checks that at least n runs have ended, each with one event and one row in the query
// log, and that each ask has its row.
func (f *fleet) wantEach(n int) {
	f.t.Helper()
	recorded, events := f.answered(), f.eventsOf()
	runs, asks := f.rows()
	if len(recorded) < n || len(events) != len(recorded) || len(runs) != len(recorded) {
		f.t.Errorf("%d runs, want %d; %d of them have an event and %d a row", len(recorded), n, len(events), len(runs))
	}
	for run := range recorded {
		if _, ok := runs[run]; events[run] != 1 || !ok {
			f.t.Errorf("run %s has %d events, and a row %v", run, events[run], ok)
		}
	}
	for token := range f.tokens() {
		if !asks[token] {
			f.t.Errorf("ask %s has no row", token)
		}
	}
}

// The streams of events and lines are away when the answers come, and then all workers die. A new
// worker publishes the events and lines of all runs.
func TestPromiseEventAndLineWhoeverDies(t *testing.T) {
	t.Parallel()
	// On a busy machine, too, all calls are under way at one time, and none takes too long.
	f := newFleet(t, simulator.Options{Latency: 2 * time.Second})
	slow := func(o *worker.Options) { o.Lease, o.CallTime, o.Grace = 8*time.Second, 5*time.Second, time.Second }
	one, other := f.start(slow, written(t)), f.start(slow, written(t))
	const keys = 20
	answers := f.askAll(many("signed", keys)...)
	within(t, "all calls under way", func() bool { return f.gateway.Stats().InFlight == keys })
	anew := f.remove(messages.Events, messages.Log)
	for _, r := range answers() {
		if r.Outcome != messages.Signed {
			t.Errorf("told %s", refusal(r.Result))
		}
	}
	one.cut()
	other.cut()
	anew()
	f.start(slow, written(t))
	f.wantRest()
	f.wantEach(keys)
	f.wantCalls(keys)
}

// A call that a death cuts is not made again with this setting. Waiting askers get CRASHED, and get
// it again for the same id, by either door, from any worker.
func TestPromiseCrashedIsFinalAtBothDoors(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: time.Second})
	fail := func(o *worker.Options) { o.AfterCrash = worker.Fail }
	victim := f.start(brief, fail)
	awaited := messages.Query{ID: "awaited", UserEmail: email("signed", 1)}
	gone := messages.Query{ID: "gone", UserEmail: email("signed", 2), ReplyTo: f.names.ReplyOf("till")}
	answers := f.askAll(awaited)
	f.submits(f.names.Submit(), gone)
	within(t, "both calls under way", func() bool { return f.gateway.Stats().InFlight == 2 })
	victim.cut() // before its calls can time out, however slow the machine is
	f.start(brief, fail)
	if r := answers()[0]; r.Code != messages.Crashed || r.Outcome != messages.Unknown {
		t.Errorf("told %s", refusal(r.Result))
	}
	within(t, "the durable reply", func() bool { return len(f.durable()["gone"]) == 1 })
	f.start(brief, fail)
	for n := 2; n < 5; n++ { // again by the other door
		if r := f.ask(messages.Query{ID: "gone", UserEmail: gone.UserEmail}); r.Code != messages.Crashed {
			t.Errorf("asked again by the other door: %s", refusal(r))
		}
		again := awaited
		again.ReplyTo = gone.ReplyTo
		f.submits(f.names.Submit(), again)
		f.submits(f.names.Submit(), gone)
		within(t, "replies to retries", func() bool {
			all := f.durable()
			return len(all["gone"]) == n && len(all["awaited"]) == n-1
		})
	}
	for id, all := range f.durable() {
		for _, r := range all {
			if r.Code != messages.Crashed {
				t.Errorf("%s was told %s", id, refusal(r))
			}
		}
	}
	f.wantCalls(2)
	if r := f.ask(messages.Query{ID: "another", UserEmail: awaited.UserEmail}); r.Outcome != messages.Signed {
		t.Errorf("asked with another id: %s", refusal(r))
	}
	f.wantCalls(3)
}

// If a worker dies during the fourth call, one call is left: the bound belongs to the question, not
// to the worker.
func TestPromiseAttemptsOverADeath(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	one, other := f.start(brief), f.start(brief)
	answers := f.askAll(messages.Query{UserEmail: "fault-hang@example.com"})
	m := owner(t, one, other)
	within(t, "the fourth call", func() bool { s := f.gateway.Stats(); return s.Calls+uint64(s.InFlight) >= 4 && s.InFlight == 1 })
	m.cut()
	if r := answers()[0]; r.Outcome != messages.Unknown || r.Attempts != 5 {
		t.Errorf("after %d attempts: %s", r.Attempts, refusal(r.Result))
	}
	f.wantRest()
	f.wantCalls(5)
}

// Askers with different patience join one run, at three workers. They leave one after another, and
// there are no more calls than for the most patient one alone.
func TestPromiseAttemptsForAskersOfDifferentPatience(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	for range 3 {
		f.start(brief)
	}
	var queries []messages.Query
	for i := range 12 {
		queries = append(queries, messages.Query{UserEmail: "fault-hang@example.com",
			DeadlineMs: time.Now().Add(time.Duration(200*(1+i*i)) * time.Millisecond).UnixMilli()})
	}
	for i, r := range f.askAll(queries...)() {
		if r.Outcome != messages.Unknown || r.Run == "" {
			t.Errorf("asker %d: %s", i, refusal(r.Result))
		}
	}
	f.wantRest()
	f.wantCalls(5)
}
