// Package natstest is a real NATS server in the test's own process: it is ready within
// milliseconds, and gone when the test ends.
package natstest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Serve runs a server until the test ends. Without o.Host it listens nowhere and is reached by
// Connect alone; with o.JetStream its streams lie in a directory of the test.
func Serve(t testing.TB, o server.Options) *server.Server {
	t.Helper()
	o.NoLog, o.NoSigs, o.DontListen = true, true, o.Host == ""
	if o.JetStream && o.StoreDir == "" {
		o.StoreDir = t.TempDir()
	}
	srv, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready after 10 s")
	}
	return srv
}

// Connect connects to a server of this process until the test ends.
func Connect(t testing.TB, srv *server.Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", append(options, nats.InProcessServer(srv))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// JetStream is a connection to a new server with JetStream, and its streams.
func JetStream(t testing.TB) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc := Connect(t, Serve(t, server.Options{JetStream: true}))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}
