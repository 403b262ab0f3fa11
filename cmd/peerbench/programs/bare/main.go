// Command bare is a queue subscription, singleflight in the process, a signed HTTP call and a
// reply. Nothing survives the process, nothing is shared between processes. With -cache it also
// remembers results.
package main

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/peerbench/payload"
	"protocolq/cmd/peerbench/peer"
)

func main() {
	f := peer.Parse()
	nc, err := nats.Connect(f.NATS, nats.Name("bare"))
	peer.Must(err)
	var flying sync.WaitGroup
	sub, err := nc.QueueSubscribe("protocol.query", "workers", handler(f, &flying))
	peer.Must(err)
	peer.Must(sub.SetPendingLimits(-1, -1))
	peer.Must(nc.Flush())
	peer.Wait()
	_ = sub.Drain() // no new requests; answer the present ones
	for sub.IsValid() {
		time.Sleep(time.Millisecond)
	}
	flying.Wait()
	_ = nc.Flush()
	nc.Close()
}

func handler(f *peer.Flags, flying *sync.WaitGroup) nats.MsgHandler {
	client, sem := f.Client(), make(chan struct{}, f.Concurrency)
	shared := &peer.Shared{TTL: f.Cache}
	return func(m *nats.Msg) {
		q, err := payload.DecodeRequest(m.Data)
		if err != nil {
			return
		}
		flying.Go(func() {
			r := shared.Do(q.UserEmail, func() payload.Result {
				return peer.Call(client, sem, f.Tries, q.UserEmail)
			})
			r.ID = q.ID
			if b, err := payload.EncodeReply(&r); err == nil {
				_ = m.Respond(b)
			}
		})
	}
}
