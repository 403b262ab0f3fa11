// A connection leaves a server that hangs for one that does not.

package natsconn

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/worker/natstest"
)

// stall is a proxy to a server that can hang as a server does after SIGSTOP. The kernel accepts
// connections and, while there is room, what is sent; nothing comes back.
type stall struct {
	url string

	mu    sync.Mutex
	cond  sync.Cond
	still bool
}

func newStall(t *testing.T, to string) *stall {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stall{url: "nats://" + l.Addr().String()}
	s.cond.L = &s.mu
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); s.stand(false); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				back := make(chan struct{})
				go func() { defer close(back); s.pass(c, out); _ = c.Close() }()
				s.pass(out, c)
				_ = out.Close()
				<-back
			})
		}
	})
	return s
}

// pass copies, except while the proxy hangs.
func (s *stall) pass(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		s.mu.Lock()
		for s.still {
			s.cond.Wait()
		}
		s.mu.Unlock()
		n, err := from.Read(buf)
		s.mu.Lock()
		for s.still {
			s.cond.Wait()
		}
		s.mu.Unlock()
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (s *stall) stand(still bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.still = still
	s.cond.Broadcast()
}

// stalls starts three servers of one cluster, each behind a proxy.
func stalls(t *testing.T) (all []*stall) {
	t.Helper()
	var routes []*url.URL
	for i := range 3 {
		o := server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoAdvertise: true}, Routes: routes}
		ns := natstest.Serve(t, o)
		if i == 0 {
			routes = []*url.URL{{Scheme: "nats-route", Host: ns.ClusterAddr().String()}}
		}
		all = append(all, newStall(t, ns.Addr().String()))
	}
	return all
}

// A connection leaves a server that hangs within 5 s. That is well before the lease of a
// worker's calls ends, so that their answers count.
func TestHungServerIsLeft(t *testing.T) {
	for name, busy := range map[string]bool{"at rest": false, "with more to send than the socket takes": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := stalls(t)
			var urls []string
			for _, s := range all {
				urls = append(urls, s.url)
			}
			nc, err := Connect(Options{Servers: urls, Name: "test", Wait: true})
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			eventuallyConnected(t, nc)
			was := nc.ConnectedUrl()
			for _, s := range all {
				if s.url == was {
					s.stand(true)
				}
			}
			hung := time.Now()
			if busy {
				body := []byte(strings.Repeat("x", 512<<10))
				go func() {
					for nc.Publish("elsewhere", body) == nil {
					}
				}()
			}
			for nc.Stats().Reconnects == 0 && time.Since(hung) < 15*time.Second {
				<-time.After(10 * time.Millisecond)
			}
			if took := time.Since(hung); took > 10*time.Second || nc.ConnectedUrl() == was {
				t.Errorf("after %v at %s, which hangs", took, nc.ConnectedUrl())
			} else {
				t.Logf("left after %v", took)
			}
			if err := nc.FlushTimeout(10 * time.Second); err != nil {
				t.Errorf("elsewhere: %v", err)
			}
		})
	}
}

func eventuallyConnected(t *testing.T, nc *nats.Conn) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !nc.IsConnected(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not connected")
		}
	}
}
