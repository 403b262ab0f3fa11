// Three servers in the test's own process, with the generated rights, and an observer that sees
// every effect of what a user sends.

package natsconfig_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
	"protocolq/worker/provision"
)

const (
	partner = "2088000000000001"
	other   = "2088000000000002"
)

func names(t *testing.T) messages.Names {
	t.Helper()
	n, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func options() natsconfig.Options {
	return natsconfig.Options{Prefix: messages.DefaultPrefix, Account: "PROTOCOLQ", Partners: []string{partner, other},
		Askers: []string{"refunds", "deduction"}, HTTP: []string{"shop"}, Listeners: []string{"accounting"}, Events: true}
}

func config(t *testing.T) natsconfig.Config {
	t.Helper()
	c, err := natsconfig.New(options())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cluster is three servers that know the users of a Config.
type cluster struct {
	dir     string // with the seeds
	servers []*server.Server
}

func start(t *testing.T, c natsconfig.Config) *cluster {
	t.Helper()
	dir := t.TempDir()
	if _, err := c.Write(dir, "a test"); err != nil {
		t.Fatal(err)
	}
	return startIn(t, dir)
}

// startIn starts servers with the files of a folder.
func startIn(t *testing.T, dir string) *cluster {
	t.Helper()
	s := &cluster{dir: dir}
	conf := filepath.Join(s.dir, "server.conf")
	if err := os.WriteFile(conf, []byte(`jetstream { max_file_store: 8GB }, cluster { name: three }, include "users.conf"`), 0o600); err != nil {
		t.Fatal(err)
	}
	var routes []*url.URL
	var held []net.Listener // until each server needs its port, so that no other process takes it
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes, held = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()}), append(held, l)
	}
	for i := range routes {
		_ = held[i].Close()
		s.servers = append(s.servers, serve(t, conf, i, routes))
	}
	eventually(t, "a leader of JetStream that knows all three", func() bool {
		return slices.ContainsFunc(s.servers, func(s *server.Server) bool { return len(s.JetStreamClusterPeers()) == 3 })
	})
	return s
}

func serve(t *testing.T, conf string, i int, routes []*url.URL) *server.Server {
	t.Helper()
	o, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(routes[i].Host)
	if err != nil {
		t.Fatal(err)
	}
	o.ServerName, o.StoreDir, o.NoSigs, o.NoLog = fmt.Sprintf("n%d", i+1), t.TempDir(), true, true
	o.Host, o.Port, o.Cluster.Host, o.Routes = host, server.RANDOM_PORT, host, routes
	if _, err := fmt.Sscan(port, &o.Cluster.Port); err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("a server is not ready")
	}
	return s
}

// connect connects a user to the n-th server, so that messages pass from one server to another.
func (s *cluster) connect(t *testing.T, n int, user natsconfig.User) *nats.Conn {
	t.Helper()
	key, err := nats.NkeyOptionFromSeed(filepath.Join(s.dir, user.Name+".nk"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", nats.InProcessServer(s.servers[n%3]), key, nats.CustomInboxPrefix(user.Inbox), nats.Name(user.Name),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatalf("%s: %v", user.Name, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func userOf(t *testing.T, c natsconfig.Config, name string) natsconfig.User {
	t.Helper()
	for _, u := range c.Users() {
		if u.Name == name {
			return u
		}
	}
	t.Fatalf("there is no user %s", name)
	return natsconfig.User{}
}

// provisioned creates the streams as PROVISIONER, with three replicas each.
func (s *cluster) provisioned(t *testing.T, c natsconfig.Config) {
	t.Helper()
	js, err := jetstream.New(s.connect(t, 0, userOf(t, c, natsconfig.Provisioner)))
	if err != nil {
		t.Fatal(err)
	}
	g := options()
	o := provision.Options{Names: names(t), Replicas: 3, Readers: provision.Readers{Askers: g.Askers, HTTP: g.HTTP, Listeners: g.Listeners, Events: true, Partners: g.Partners}}
	if _, err := provision.Apply(t.Context(), js, o); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 2 minutes: %s", what)
		}
	}
}
