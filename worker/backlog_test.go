// What a hundred thousand waiting queries of one partner cost askers of another.

package worker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	gate "protocolq/worker/partner"
)

// BenchmarkBesideABacklog asks one by one for a partner, with and without a backlog of a halted
// partner: while the backlog comes in, and when all of it waits. Its metrics are milliseconds.
func BenchmarkBesideABacklog(b *testing.B) {
	for _, backlog := range []int{0, 100_000} {
		b.Run(fmt.Sprint(backlog), func(b *testing.B) {
			f := newFleet(b, simulator.Options{})
			f.setHalt(gate.Halt{Halted: true, By: gate.ByOperator}) // known to the workers before the first query comes
			f.start()
			f.start()
			asked := 0
			ask := func() time.Duration {
				asked++
				begun := time.Now()
				if r := f.ask(messages.Query{Partner: partner2, UserEmail: email("signed", asked)}); r.Outcome != messages.Signed {
					b.Fatalf("%+v", r)
				}
				return time.Since(begun)
			}
			in := make(chan error, 1)
			go func() { in <- f.fill(backlog) }()
			coming := []time.Duration{ask()}
			for end := time.Now().Add(3 * time.Minute); f.waiting() < backlog; {
				if time.Now().After(end) {
					b.Fatalf("%d of %d wait", f.waiting(), backlog)
				}
				coming = append(coming, ask())
			}
			if err := <-in; err != nil {
				b.Fatal(err)
			}
			var there []time.Duration
			for b.Loop() {
				there = append(there, ask())
			}
			for name, took := range map[string][]time.Duration{"coming": coming, "there": there} {
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name+"-p50-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, name+"-p99-ms")
			}
		})
	}
}

// fill submits queries of the halted partner.
func (f *fleet) fill(n int) error {
	for i := range n {
		body, err := messages.Query{UserEmail: email("signed", i)}.Encode(messages.MsgPack)
		if err != nil {
			return err
		}
		if _, err := f.js.PublishAsync(f.names.Submit(), body, jetstream.WithStallWait(time.Minute)); err != nil {
			return err
		}
	}
	<-f.js.PublishAsyncComplete()
	return nil
}
