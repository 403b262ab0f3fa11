// Workers of a fleet, which start and stop.

package protocolqtest

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/gateway"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/retry"
)

// running is one worker.
type running struct {
	conns [2]*nats.Conn
	stop  func() error // ends it and returns what Run returned
}

// StartWorker starts one more worker, until the test ends, and returns when it answers.
func (f *Fleet) StartWorker() {
	f.t.Helper()
	client := must(gateway.New(gateway.Options{URL: f.gateway.url, UnsafeHost: true, Timeout: 2 * time.Second,
		ReuseAfter: time.Nanosecond, Partners: practicePartners()}))(f.t)
	r := &running{}
	for i, inbox := range []string{messages.WorkerInbox, messages.WorkerReplyInbox} {
		r.conns[i] = must(nats.Connect(f.URL,
			append(reconnecting(), nats.CustomInboxPrefix(inbox), nats.ReconnectBufSize(-1))...))(f.t)
	}
	ready := make(chan struct{})
	o := worker.Options{NATS: r.conns[0], Reply: r.conns[1], Gateway: client, Names: f.names,
		Partners:       []string{Partner, OtherPartner},
		DefaultPartner: Partner, OwnInboxes: messages.OwnInboxes(), CallTime: 2 * time.Second, Lease: 5 * time.Second,
		Grace:    5 * time.Second,
		Cooldown: 500 * time.Millisecond, MinAge: time.Millisecond, Retry: retry.Policy{Initial: 5 * time.Millisecond,
			Max: 20 * time.Millisecond},
		RetryBudget: 1000, Logger: f.o.Logger}
	if f.o.Worker != nil {
		f.o.Worker(&o)
	}
	o.Ready = func() { close(ready) }
	w := must(worker.New(o))(f.t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		for _, nc := range r.conns {
			nc.Close()
		}
		client.Close()
		return err
	})
	f.workers = append(f.workers, r)
	f.t.Cleanup(func() { _ = r.stop() })
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		f.t.Fatalf("protocolqtest: the worker ended: %v", err)
	case <-time.After(20 * time.Second):
		f.t.Fatal("protocolqtest: the worker is not ready after 20 s")
	}
}

// StopWorker lets the oldest worker finish its work, and ends it.
func (f *Fleet) StopWorker() {
	f.t.Helper()
	if err := f.oldest().stop(); err != nil {
		f.t.Errorf("protocolqtest: worker: %v", err)
	}
}

// KillWorker cuts the oldest worker off from NATS for good, as if its machine were gone. Its work
// is left to the other workers, and to those that are started later.
func (f *Fleet) KillWorker() {
	f.t.Helper()
	r := f.oldest()
	for _, nc := range r.conns {
		nc.Close()
	}
	_ = r.stop() // its error says that its connections are closed
}

func (f *Fleet) oldest() *running {
	f.t.Helper()
	if len(f.workers) == 0 {
		f.t.Fatal("protocolqtest: no worker is running")
	}
	r := f.workers[0]
	f.workers = f.workers[1:]
	return r
}
