// How fast replies are read, by the number of replies at once.

package ask_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"protocolq/messages"
	"protocolq/messages/ask"
)

func BenchmarkReplies(b *testing.B) {
	for _, atOnce := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(atOnce), func(b *testing.B) {
			k := keep(b)
			for i := range b.N {
				data, err := answer(fmt.Sprint(i), "run").Encode(messages.MsgPack)
				if err == nil {
					_, err = k.js.PublishAsync("protocol.reply.refunds", data)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			<-k.js.PublishAsyncComplete()
			ctx, stop := context.WithCancel(b.Context())
			defer stop()
			var given atomic.Int64
			c := newClient(b, k.nc, asRefunds)
			b.ResetTimer()
			err := c.Replies(ctx, ask.ReadOptions{AtOnce: atOnce}, func(context.Context, ask.Reply) error {
				if given.Add(1) == int64(b.N) {
					stop()
				}
				return nil
			})
			if err != nil {
				b.Error(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "replies/s")
		})
	}
}
