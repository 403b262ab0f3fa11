// Every command reaches NATS by a NATS context, and by settings: with TLS from the first byte,
// a private certificate authority, a client certificate, a password, and JetStream in the
// domain of a leaf node's hub.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/natstest"
)

// served starts a server with this configuration.
func served(t *testing.T, format string, args ...any) *server.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return natstest.Serve(t, *o)
}

// hubAndLeaf starts a server with streams, and a leaf node near the fleet that has JetStream of
// its own.
func hubAndLeaf(t *testing.T, a *clitest.Authority) (hub, leaf *server.Server) {
	t.Helper()
	hub = served(t, "server_name: hub, host: 127.0.0.1, port: -1\njetstream { store_dir: %q, domain: hub }\nleafnodes { host: 127.0.0.1, port: -1 }\n", t.TempDir())
	about, err := hub.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := a.Issue("leaf")
	leaf = served(t, `server_name: leaf, host: 127.0.0.1, port: -1
jetstream { store_dir: %q, domain: leaf }
tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true, handshake_first: true }
authorization { user: fleet, password: s3cret }
leafnodes { remotes: [{ url: "nats-leaf://127.0.0.1:%d" }] }
`, t.TempDir(), cert, key, a.File, about.LeafNode.Port)
	clitest.Eventually(t, "the leaf has joined the hub", func() bool { return hub.NumLeafNodes() == 1 })
	return hub, leaf
}

func streamsOf(t *testing.T, srv *server.Server, options ...nats.Option) (names []string) {
	t.Helper()
	js, err := jetstream.New(natstest.Connect(t, srv, options...))
	if err != nil {
		t.Fatal(err)
	}
	l := js.StreamNames(t.Context())
	for name := range l.Name() {
		names = append(names, name)
	}
	if l.Err() != nil {
		t.Fatal(l.Err())
	}
	return names
}

func TestEveryCommandReachesNATS(t *testing.T) {
	t.Parallel()
	a := clitest.NewAuthority(t)
	hub, leaf := hubAndLeaf(t, a)
	cert, key := a.Issue("fleet")
	dir, url := t.TempDir(), fmt.Sprintf("nats://%s", leaf.Addr())
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keys, err := json.Marshal(map[string]any{"url": url, "user": "fleet", "password": "s3cret", "ca": a.File, "cert": cert, "key": key, "tls_first": true, "jetstream_domain": "hub"})
	if err != nil {
		t.Fatal(err)
	}
	byContext := []string{"--nats-context", file("fleet.json", string(keys))}
	bySettings := []string{"--nats", url, "--nats-user", "fleet", "--nats-password-file", file("password", "s3cret\n"), "--nats-ca-file", a.File,
		"--nats-cert-file", cert, "--nats-key-file", key, "--nats-tls-first", "--js-api-prefix", "$JS.hub.API"}
	s := &stand{t: t, keys: t.TempDir()}
	s.practice()
	ends := func(code int, by []string, args ...string) string {
		t.Helper()
		p := launch(t, nil, append(args, by...)...)
		if got := p.exit(); got != code {
			t.Errorf("%s by %s ends with %d, want %d\n%s", args, by[0], got, code, p.err)
		}
		return p.out.String()
	}
	ends(cli.ExitOK, byContext, "provision")
	if n := len(streamsOf(t, hub)); n == 0 {
		t.Error("no stream is in the hub")
	}
	if names := streamsOf(t, leaf, nats.UserInfo("fleet", "s3cret")); len(names) > 0 {
		t.Errorf("the leaf has %v", names)
	}
	hmac, database := file("hmac.key", strings.Repeat("ab", 32)), "sqlite://"+filepath.Join(dir, "log.db")
	partner := settings.PracticeSet[0].ID
	for i, by := range [][]string{byContext, bySettings} {
		ends(cli.ExitOK, by, "provision")
		worker := launch(t, nil, append([]string{"worker", "--gateway-url", s.gateway, "--unsafe-gateway", "--partner", partner,
			"--key-file", filepath.Join(s.keys, partner+".key"), "--log-hmac-key-file", hmac}, by...)...).ready()
		recorder := launch(t, nil, append([]string{"recorder", "--database", database}, by...)...)
		email := person("signed", i)
		ends(cli.ExitOK, by, "query", "--email", email, "--id", fmt.Sprint("reach-", i))
		ends(cli.ExitOK, by, "submit", "--email", email)
		ends(cli.ExitOK, by, "partner", "list")
		ends(cli.ExitOK, by, "intake", "pause", "--yes", "--reason", "a test")
		ends(cli.ExitOK, by, "intake", "resume")
		ends(cli.ExitOK, by, "dead", "list")
		clitest.Eventually(t, "the query is recorded", func() bool {
			p := launch(t, nil, "log", "show", fmt.Sprint("reach-", i), "--database", database, "--log-hmac-key-file", hmac)
			return p.exit() == cli.ExitOK
		})
		ends(cli.ExitOK, by, "log", "forget", "--email", email, "--yes", "--database", database, "--log-hmac-key-file", hmac)
		worker.stop()
		recorder.stop()
	}
}
