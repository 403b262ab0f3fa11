// Fair shares: what thousands of queries of one asker cost another, who asks one by one.

package worker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	gate "protocolq/worker/partner"
)

// flood is what a greedy asker does, on a connection of its own. Meanwhile a modest asker waits at
// most so many times as long as at rest, and for one call.
type flood struct {
	asks  int
	times time.Duration
	do    func(f *fleet, nc *nats.Conn, n int)
}

func (o flood) most(rest, call time.Duration) time.Duration { return o.times*rest + call }

var floods = map[string]flood{
	"queries": {20_000, 3, func(f *fleet, nc *nats.Conn, n int) {
		inbox := nc.NewInbox()
		for _, q := range many("signed+flood", n) {
			body, _ := q.Encode(messages.MsgPack)
			if err := nc.PublishRequest(f.names.QueryOf(partner)+".greedy", inbox, body); err != nil {
				f.t.Error(err)
			}
		}
	}},
	"submits": {100_000, 1, func(f *fleet, nc *nats.Conn, n int) {
		js, err := jetstream.New(nc)
		if err != nil {
			f.t.Error(err)
			return
		}
		for _, q := range many("signed+flood", n) {
			body, _ := q.Encode(messages.MsgPack)
			if _, err := js.PublishAsync(f.names.SubmitOf(partner, "greedy"), body, jetstream.WithStallWait(time.Minute)); err != nil {
				f.t.Error(err)
			}
		}
		<-js.PublishAsyncComplete()
	}},
}

// sharing is a fleet of two in front of a gateway that is slower than a flood.
func sharing(t testing.TB, call time.Duration) *fleet {
	t.Helper()
	f := newFleet(t, simulator.Options{Latency: call})
	limited := func(o *worker.Options) { o.Limits = map[string]gate.Limits{partner: {Concurrency: 8}} }
	f.start(limited)
	f.start(limited)
	return f
}

// modest asks a number of times, one by one, and returns the waits in order.
func (f *fleet) modest(what string, n int) (took []time.Duration) {
	f.t.Helper()
	for i := range n {
		q := messages.Query{UserEmail: email("signed+"+what, i)}
		body, _ := q.Encode(messages.MsgPack)
		begun := time.Now()
		m, err := f.nc.Request(f.names.QueryOf(partner)+".modest", body, 60*time.Second)
		if err != nil {
			f.t.Fatal(err)
		}
		if r, _, err := messages.DecodeResult(m.Data, ""); err != nil || r.Outcome != messages.Signed {
			f.t.Fatalf("told %s, %v", refusal(r), err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took
}

// part is the wait that so many in a hundred do not exceed.
func part(took []time.Duration, percent int) time.Duration { return took[len(took)*percent/100] }

// A flood of thousands makes no other asker wait much. [BenchmarkFairShares] says how much exactly,
// on a machine with no other work.
func TestPromiseFairShares(t *testing.T) {
	for name, c := range floods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const call, backlog = 20 * time.Millisecond, 3000
			f := sharing(t, call)
			rest := part(f.modest("rest", 20), 90)
			c.do(f, f.connect("greedy"), backlog)
			within(t, "the backlog under way", func() bool { return f.calls() > 100 })
			busy := part(f.modest("busy", 20), 90)
			done := f.calls()
			t.Logf("at rest %v, busy %v, after %d calls", rest, busy, done)
			if busy > 20*c.most(rest, call) || done >= backlog {
				t.Errorf("%v behind a backlog, %v at rest, with %d of the backlog done", busy, rest, done)
			}
		})
	}
}

// BenchmarkFairShares fails if a modest asker waits too long in one case of a hundred, behind the
// flood or while it comes in. Its metrics are milliseconds.
func BenchmarkFairShares(b *testing.B) {
	for name, c := range floods {
		b.Run(name, func(b *testing.B) {
			const call, asks = 100 * time.Millisecond, 200
			f := sharing(b, call)
			rest := part(f.modest("rest", asks), 99)
			in, greedy := make(chan struct{}), f.connect("greedy")
			go func() { defer close(in); c.do(f, greedy, c.asks) }()
			coming := part(f.modest("coming", asks), 99)
			<-in
			within(b, "all is taken in", func() bool { return f.stream(messages.Submitted).Msgs == 0 })
			behind := part(f.modest("behind", asks), 99)
			for of, d := range map[string]time.Duration{"rest": rest, "coming": coming, "behind": behind} {
				b.ReportMetric(float64(d.Microseconds())/1000, of+"-p99-ms")
			}
			if most := c.most(rest, call); behind > most || coming > most {
				b.Errorf("p99 of %v while the flood comes in and %v behind it, %v at rest: at most %v", coming, behind, rest, most)
			}
		})
	}
}
