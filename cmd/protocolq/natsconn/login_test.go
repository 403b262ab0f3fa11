// Logins that are rotated while a connection is open.

package natsconn

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/natstest"
)

// seed makes a new user, and returns the text of its seed file and its public key.
func seed(t *testing.T) (text []byte, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = pair.Seed(); err == nil {
		public, err = pair.PublicKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	return text, public
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A seed is rotated as the server's operator does it: first the file, then the users of the
// server.
func TestSeedRotates(t *testing.T) {
	oldSeed, oldUser := seed(t)
	newSeed, newUser := seed(t)
	path := filepath.Join(t.TempDir(), "worker.nk")
	write(t, path, oldSeed)
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Nkeys: []*server.NkeyUser{{Nkey: oldUser}}})
	cfg := &settings.Config{NATSCreds: path}
	if err := cfg.CheckCreds(path); err != nil {
		t.Fatal(err)
	}
	nc, err := Connect(Options{Servers: []string{ns.ClientURL()}, Creds: cfg.Login(path), Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	up := nc.StatusChanged(nats.CONNECTED)
	write(t, path, newSeed)
	if err := ns.ReloadOptions(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, Nkeys: []*server.NkeyUser{{Nkey: newUser}}}); err != nil { // it disconnects the old user
		t.Fatal(err)
	}
	select {
	case <-up:
	case <-time.After(2 * time.Minute):
		t.Fatalf("not connected again: %v", nc.LastError())
	}
	if err := nc.FlushTimeout(20 * time.Second); err != nil {
		t.Error(err)
	}
}
