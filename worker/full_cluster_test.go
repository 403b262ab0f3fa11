// A journal that is nearly full, on a cluster of three.

package worker_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker/provision"
)

// newCluster is newFleet on three servers, every stream on all of them.
func newCluster(t *testing.T) *fleet {
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
		_ = l.Close() // the servers use the ports
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
	})
	within(t, "three copies of every stream", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := provision.Apply(ctx, f.js, f.set.provision)
		return err == nil
	})
	return f
}

// On three servers, too, no call begins above the mark. The answer of the call in progress is
// journalled, and with room again everything goes on.
func TestJournalNearlyFullOnThree(t *testing.T) {
	t.Parallel()
	f := newCluster(t)
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Journal))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo().Cluster; c == nil || len(c.Replicas) != 2 {
		t.Fatalf("the journal is not on three servers: %+v", c)
	}
	f.nearlyFull(f.start)
}
