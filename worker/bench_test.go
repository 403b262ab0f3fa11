// What an answer costs a worker: server, asker and worker share this process, and the gateway costs
// nothing.

package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// yes answers at once that the account has signed.
type yes struct{}

func (yes) Ask(_ context.Context, _ gateway.Query, fence func() error) (gateway.Answer, gateway.Report, error) {
	return gateway.Answer{Status: gateway.Signed, ChargeAgent: new(true), RefundCharge: new(true), IsSuccess: "T", Verification: "unsigned"}, gateway.Report{}, fence()
}

// asking sends b.N queries, 512 at a time over one connection, about the accounts that account
// returns.
func asking(b *testing.B, account func(n uint64) string) {
	f := newFleet(b, simulator.Options{})
	f.start(func(o *worker.Options) { o.Gateway = yes{}; o.Slots = 1024 })
	room := make(chan struct{}, 512)
	inbox := nats.NewInbox()
	sub, err := f.nc.Subscribe(inbox+".*", func(*nats.Msg) { <-room })
	if err != nil {
		b.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		b.Fatal(err)
	}
	var n atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		i := n.Add(1)
		body, err := messages.Query{UserEmail: account(i)}.Encode(messages.MsgPack)
		if err != nil {
			b.Fatal(err)
		}
		room <- struct{}{}
		if err := f.nc.PublishRequest("protocol.query", fmt.Sprintf("%s.%d", inbox, i), body); err != nil {
			b.Fatal(err)
		}
	}
	for range cap(room) {
		room <- struct{}{}
	}
}

func BenchmarkUniqueKeys(b *testing.B) {
	asking(b, func(n uint64) string { return fmt.Sprintf("%d@bench.example", n) })
}

func BenchmarkOneKey(b *testing.B) {
	asking(b, func(uint64) string { return "one@bench.example" })
}
