// A damaged disk: what a server does with a message whose bytes changed there.

package journal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/journal"
	"protocolq/worker/natstest"
	"protocolq/worker/publish"
)

// A server finds the damage by a checksum of its own, and has the message no more: it leaves it out
// of what it gives, and says that it is not there. A reader takes that for no purge that it may
// pass over.
func TestDamagedOnDisk(t *testing.T) {
	dir := t.TempDir()
	serve := func() (*server.Server, *journal.JetStream) {
		srv := natstest.Serve(t, server.Options{JetStream: true, StoreDir: dir})
		nc := natstest.Connect(t, srv)
		o := journal.JetStreamOptions{Conn: nc, Publisher: publish.New(nc), Stream: "J", Journal: "j.", Followed: "f."}
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(t.Context(), o.Config(1, 1<<20)); err != nil {
			t.Fatal(err)
		}
		return srv, journal.NewJetStream(o)
	}
	srv, log := serve()
	for _, m := range []journal.Member{"a", "b", "c", "d"} {
		data, err := journal.Encode(1, 0, &journal.Seal{By: m, Why: "marked " + string(m)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.Append(t.Context(), journal.Append{Member: m, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	srv.Shutdown()
	srv.WaitForShutdown()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "J", "msgs", "*.blk"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	block, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	block[bytes.Index(block, []byte("marked c"))] ^= 1
	if err := os.WriteFile(files[0], block, 0o600); err != nil {
		t.Fatal(err)
	}
	_, log = serve()
	all, err := log.Next(t.Context(), 1)
	if err != nil || len(all) != 3 || all[2].Position != 4 {
		t.Errorf("%d messages, %v", len(all), err)
	}
	if m, err := log.AtLeader(t.Context(), 3); err != nil || m.Position != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	read := 0
	r, err := journal.NewReader(journal.ReaderOptions{Source: log, Leader: log, Apply: func(*journal.Batch) error { read++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, journal.ErrPurged) || read != 2 {
		t.Errorf("ended after %d with %v", read, err)
	}
}
