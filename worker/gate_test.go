// What keeps the fleet from harm at the gateway: halts, limits, the budget of retries.

package worker_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	gate "protocolq/worker/partner"
	"protocolq/worker/publish"
)

// Five faults of the partner's settings over three keys halt the partner for all workers. The other
// partner goes on, and an operator resumes the halted one.
func TestPartnerHalt(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	first := f.start()
	f.start()
	for i := range 5 {
		if r := f.ask(messages.Query{UserEmail: email("illegal-sign", i)}); r.Code != "ILLEGAL_SIGN" {
			t.Fatalf("%+v", r)
		}
	}
	// All asks here are faults: a good answer of the worker that has not seen the halt yet would end
	// it.
	halted := func() bool {
		r := f.ask(messages.Query{UserEmail: email("illegal-sign", time.Now().UnixNano())})
		return r.Code == messages.PartnerHalted
	}
	// Each worker counts what it has seen itself. Some more faults may be needed until one has seen
	// five, and the other sees the halt slightly later. Twenty in a row were answered by both.
	within(t, "both workers have halted the partner", func() bool {
		for range 20 {
			if !halted() {
				return false
			}
		}
		return true
	})
	r := f.ask(messages.Query{UserEmail: "signed+h@example.com"})
	if r.Outcome != messages.Unknown || !r.Retryable || r.RetryAfterMs <= 0 || r.RetryAfterMs > 60_000 {
		t.Errorf("an awaiting asker is told %+v", r)
	}
	if !strings.Contains(r.Message, "; halted by worker ") || !strings.Contains(r.Message, "ILLEGAL_SIGN") {
		t.Errorf("who, when and why: %q", r.Message)
	}
	if r := f.ask(messages.Query{Partner: partner2, UserEmail: "signed@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("the other partner: %+v", r)
	}
	f.submit(messages.Query{ID: "patient", UserEmail: "signed+p@example.com"})
	within(t, "a submitted query waits", func() bool { return f.waiting() == 1 })
	f.setHalt(gate.Halt{})
	within(t, "asked for again", func() bool { return !halted() })
	if first.Stats().Outcomes["unknown"] == 0 {
		t.Error("the first worker told nobody")
	}
}

// A worker that is stopped right after a call gives its share of the partner's concurrency back:
// the other's next call need not wait until that share ends.
func TestStoppedWorkerGivesItsShareBack(t *testing.T) {
	t.Parallel()
	const call = 300 * time.Millisecond
	f := newFleet(t, simulator.Options{Latency: call})
	single := func(o *worker.Options) { o.Limits = map[string]gate.Limits{partner: {Concurrency: 1}} }
	old := f.start(single)
	answers := f.wave(1, 1)
	within(t, "the call is under way", func() bool { return f.gateway.Stats().InFlight == 1 })
	f.start(single)
	wantAll(t, answers(), messages.Signed, "")
	if err := old.stop(); err != nil {
		t.Error(err)
	}
	begun := time.Now()
	if r := f.ask(messages.Query{UserEmail: "signed+next@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("%+v", r)
	}
	if took := time.Since(begun); took > 5*time.Second { // a second on a machine that is not busy; the share would last 10
		t.Errorf("the other worker's next call took %v", took)
	}
}

// setHalt writes the halt record as an operator does.
func (f *fleet) setHalt(h gate.Halt) {
	f.t.Helper()
	if err := gate.WriteHalt(f.t.Context(), worker.PartnerRecords(f.nc, publish.New(f.nc), f.names), partner, h); err != nil {
		f.t.Fatal(err)
	}
}

// Two unusual queries, asked again and again, halt no partner: six faults within a minute, over two
// keys.
func TestTwoStrangeQueriesHaltNobody(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(cooldown(time.Second))
	for range 3 {
		for _, key := range []string{"a", "b"} {
			within(t, "the cool-down is over", func() bool {
				r := f.ask(messages.Query{UserEmail: "illegal-sign@example.com", Key: key})
				if r.Code != "ILLEGAL_SIGN" {
					t.Fatalf("%+v", r)
				}
				return r.Source == messages.Asked
			})
		}
	}
	f.wantCalls(6)
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("halted by two queries: %+v", r)
	}
}

// Good answers between the faults keep a partner from being halted.
func TestFaultsWithGoodAnswersBetweenHaltNobody(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	for i := range 12 {
		f.ask(messages.Query{UserEmail: email("illegal-sign", i)})
		if i%4 == 3 {
			if r := f.ask(messages.Query{UserEmail: email("signed", i)}); r.Outcome != messages.Signed {
				t.Fatalf("%+v", r)
			}
		}
	}
}

// A probe that succeeds resumes the partner: here its time has come already.
func TestProbeReopens(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	within(t, "halted", func() bool {
		// Each time, the good answer of a call in progress resumes it.
		f.setHalt(gate.Halt{Halted: true, By: "a worker", ProbeAtMs: time.Now().Add(55 * time.Second).UnixMilli()})
		return f.ask(messages.Query{UserEmail: email("signed", time.Now().UnixNano())}).Code == messages.PartnerHalted
	})
	f.setHalt(gate.Halt{Halted: true, By: "a worker", ProbeAtMs: time.Now().UnixMilli()})
	within(t, "open again", func() bool {
		return f.ask(messages.Query{UserEmail: email("signed", time.Now().UnixNano())}).Outcome == messages.Signed
	})
	f.setHalt(gate.Halt{Halted: true, By: gate.ByOperator})
	within(t, "halted by the operator, without probes", func() bool {
		return f.ask(messages.Query{UserEmail: email("signed", time.Now().UnixNano())}).Code == messages.PartnerHalted
	})
}

// Three workers together keep within the partner's rate and concurrency.
func TestLimitsOverTheFleet(t *testing.T) {
	f := newFleet(t, simulator.Options{Latency: 50 * time.Millisecond})
	for range 3 {
		f.start(func(o *worker.Options) { o.Limits = map[string]gate.Limits{partner: {Rate: 100, Concurrency: 4}} })
	}
	begun := time.Now()
	var wg sync.WaitGroup
	const asks = 120
	for i := range asks {
		wg.Go(func() {
			if r, err := f.try(messages.Query{UserEmail: email("signed", i)}); err != nil || r.Outcome != messages.Signed {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
	wg.Wait()
	// 4 at once of 50 ms each are 80 a second.
	if took := time.Since(begun); took < asks*time.Second/80-100*time.Millisecond {
		t.Errorf("%d calls took %v", asks, took)
	}
	if most := f.mostAtOnce(); most > 4 {
		t.Errorf("%d calls at once, want at most 4", most)
	}
	f.wantCalls(asks)
}

// Three workers together reach the partner's whole rate, but not more, although they could.
func TestRateOverTheFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	for range 3 {
		f.start(func(o *worker.Options) { o.Limits = map[string]gate.Limits{partner: {Rate: 20}} })
	}
	begun := time.Now()
	var wg sync.WaitGroup
	const asks = 80
	for i := range asks {
		wg.Go(func() {
			if r, err := f.try(messages.Query{UserEmail: email("signed", i)}); err != nil || r.Outcome != messages.Signed {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begun); took < 3600*time.Millisecond || took > 12*time.Second {
		t.Errorf("%d calls at 20 a second took %v, want about 4 s", asks, took)
	}
	f.wantCalls(asks)
}

// A backlog of submitted queries that needs minutes at the partner's rate refuses nobody who awaits
// a reply, and does not exceed the rate.
func TestAwaitingBesideASlowBacklog(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(func(o *worker.Options) { o.Limits = map[string]gate.Limits{partner: {Rate: 4}} })
	floods["submits"].do(f, f.connect("greedy"), 200)
	within(t, "the backlog under way", func() bool { return f.calls() > 8 })
	for i := range 12 {
		if r := f.ask(messages.Query{UserEmail: email("signed+modest", i)}); r.Outcome != messages.Signed {
			t.Errorf("told %s %s", r.Outcome, r.Code)
		}
	}
	// Twenty calls take 4.75 s. On a busy machine a few reach the gateway together.
	const many = 20
	calls := f.gateway.Calls()
	if len(calls) < many {
		t.Fatalf("only %d calls", len(calls))
	}
	for i := range calls[many-1:] {
		if apart := time.Duration(calls[i+many-1].Started-calls[i].Started) * time.Microsecond; apart < 2500*time.Millisecond {
			t.Errorf("%d calls within %v, at 4 a second", many, apart)
		}
	}
}

// mostAtOnce is the largest number of calls at one instant, by the gateway's log.
func (f *fleet) mostAtOnce() int {
	most := 0
	calls := f.gateway.Calls()
	for _, c := range calls {
		n := 0
		for _, o := range calls {
			if o.Started <= c.Started && c.Started < o.Ended {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// An outage costs one call for each key and a few retries, not five calls for each key.
func TestRetryBudget(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start(func(o *worker.Options) { o.RetryBudget = 10 })
	const keys = 40
	for i := range keys {
		if r := f.ask(messages.Query{UserEmail: email("system-error", i)}); r.Code != "SYSTEM_ERROR" {
			t.Fatalf("%+v", r)
		}
	}
	if most := keys*11/10 + 10 + 1; f.calls() > most || f.calls() < keys+10 {
		t.Errorf("%d calls for %d keys, want from %d to %d", f.calls(), keys, keys+10, most)
	}
}

func TestCloudEvents(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start(func(o *worker.Options) { o.CloudEvents = true })
	events, err := f.nc.SubscribeSync("protocol.event.>")
	if err != nil {
		t.Fatal(err)
	}
	r := f.ask(messages.Query{UserEmail: "signed@example.com"})
	m, err := events.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if h := m.Header; h.Get("ce-specversion") != "1.0" || h.Get("ce-id") != r.Run || h.Get("ce-type") != "protocolq.run.signed" || h.Get("ce-subject") != partner {
		t.Errorf("%v", h)
	}
}
