// Full streams on a cluster of three, and a stream that nobody reads.

package worker_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/provision"
)

// newCluster is newFleet on three servers, every stream on all of them.
func newCluster(t *testing.T, change func(*setup)) *fleet {
	t.Helper()
	var routes []*url.URL
	var ports []int
	var listeners []net.Listener
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()})
	}
	for _, l := range listeners {
		_ = l.Close() // the servers take their places
	}
	options := func(i int) server.Options {
		return server.Options{ServerName: fmt.Sprint("s", i), Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
			Routes: routes, Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]}}
	}
	f := newFleet(t, simulator.Options{}, func(s *setup) {
		for i := 1; i < 3; i++ {
			o := options(i)
			srv, err := server.NewServer(&o)
			if err != nil {
				t.Fatal(err)
			}
			srv.Start()
			t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		}
		s.server, s.bare, s.provision.Replicas = options(0), true, 3
		change(s)
	})
	var err error
	within(t, 30*time.Second, "three copies of every stream", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = provision.Apply(ctx, f.js, f.set.provision)
		return err == nil
	})
	return f
}

// held lets the gateway keep every call of one account until it is released.
func held(f *fleet, who string) (change func(*worker.Options), called, release chan struct{}) {
	called, release = make(chan struct{}), make(chan struct{})
	return func(o *worker.Options) {
		o.Lease = 30 * time.Second
		o.Gateway = asker(func(ctx context.Context, q gateway.Query, _ func() error) (gateway.Answer, gateway.Report, error) {
			if q.UserEmail == who {
				close(called)
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return gateway.Answer{Status: gateway.Signed, IsSuccess: "T", ChargeAgent: new(true), RefundCharge: new(true)}, gateway.Report{At: time.Now()}, ctx.Err()
		})
	}, called, release
}

// On three servers, too, nothing new is begun above the mark of the records; what is running stores its answer, and with room
// again all goes on.
func TestStateNearlyFullOnThree(t *testing.T) {
	t.Parallel()
	f := newCluster(t, func(s *setup) { s.provision.StateBytes = 64 << 10 })
	change, called, release := held(f, email("signed", 0))
	m := f.start(change)
	slow := f.wave(1, 1)
	<-called
	for i := range 53 { // of 1 KiB each
		if _, err := f.js.Publish(t.Context(), f.names.State(fmt.Sprint("filler", i)), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	within(t, 20*time.Second, "the fill is seen", func() bool { return m.Stats().StoreFill >= 0.8 })
	if r := f.ask(messages.Query{UserEmail: "signed+new@example.com"}); r.Code != messages.Overloaded || r.RetryAfterMs <= 0 || !r.Retryable {
		t.Errorf("a new query: %+v", r)
	}
	close(release)
	wantAll(t, slow(), messages.Signed, "")
	if r := f.ask(messages.Query{UserEmail: email("signed", 0)}); r.Source != messages.Remembered {
		t.Errorf("the answer that was stored above the bound: %+v", r)
	}
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.State))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo().Cluster; c == nil || len(c.Replicas) != 2 {
		t.Fatalf("the records are not on three servers: %+v", c)
	}
	for i := range 53 {
		if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(f.names.State(fmt.Sprint("filler", i)))); err != nil {
			t.Fatal(err)
		}
	}
	within(t, 20*time.Second, "the room is seen", func() bool { return m.Stats().StoreFill < 0.8 })
	if r := f.ask(messages.Query{UserEmail: "signed+new@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("with room again: %+v", r)
	}
}

// Nobody reads the events, and their stream is full: the oldest go, and no asker notices.
func TestEventsUnread(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	const room, accounts = 3 << 10, 40
	f.bound(messages.Events, room)
	wantAll(t, f.wave(accounts, accounts)(), messages.Signed, "")
	f.wantOneEach(accounts)
	f.wantRest()
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Events))
	if err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, "an event of every run", func() bool {
		i, err := s.Info(t.Context())
		return err == nil && i.State.LastSeq == accounts
	})
	if st := s.CachedInfo().State; st.Msgs == 0 || st.Msgs >= accounts || st.Bytes > room {
		t.Errorf("%d events, %d bytes are kept, of %d events and room for %d bytes", st.Msgs, st.Bytes, accounts, room)
	}
}
