// Each way to log in to a NATS server, by settings and by contexts, on real servers.

package natsconn

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/natstest"
)

// load resolves a command's settings from a command line.
func load(t *testing.T, args ...string) (*settings.Config, error) {
	t.Helper()
	cfg, fs := &settings.Config{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
	set := settings.New(cfg, "nats", "nats-creds")
	set.AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return cfg, set.Load(fs)
}

// dial connects with the settings of a command line.
func dial(t *testing.T, args ...string) (*nats.Conn, error) {
	t.Helper()
	cfg, err := load(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := Dial(cfg, "test")
	if err == nil {
		t.Cleanup(nc.Close)
	}
	return nc, err
}

// file writes a file that only its owner may read, and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, []byte(text))
	return path
}

// contextFile writes the file of a context, and returns its path.
func contextFile(t *testing.T, keys map[string]any) string {
	t.Helper()
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "somewhere.json")
	write(t, path, text)
	return path
}

// tlsServer starts a server that presents a certificate, and requires one where clients is
// given.
func tlsServer(t *testing.T, a, clients *clitest.Authority, first bool) *server.Server {
	t.Helper()
	cert, key := a.Issue("server")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	o := server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, TLS: true, TLSTimeout: 2, TLSHandshakeFirst: first,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	if clients != nil {
		pem, err := os.ReadFile(clients.File)
		if err != nil {
			t.Fatal(err)
		}
		o.TLSVerify, o.TLSConfig.ClientAuth, o.TLSConfig.ClientCAs = true, tls.RequireAndVerifyClientCert, x509.NewCertPool()
		o.TLSConfig.ClientCAs.AppendCertsFromPEM(pem)
	}
	return natstest.Serve(t, o)
}

func TestLetIn(t *testing.T) {
	seed, user := seed(t)
	plain := server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT}
	byPassword, byToken, byKey := plain, plain, plain
	byPassword.Username, byPassword.Password = "fleet", "s3cret"
	byToken.Authorization = "t0ken"
	byKey.Nkeys = []*server.NkeyUser{{Nkey: user}}
	a, b := clitest.NewAuthority(t), clitest.NewAuthority(t)
	cert, key := a.Issue("fleet")
	otherCert, otherKey := b.Issue("stranger")
	password, token, nk := file(t, "s3cret\n"), file(t, "t0ken\n"), file(t, string(seed))
	for _, c := range []struct {
		name string
		to   *server.Server
		by   []string       // flags
		in   map[string]any // the same in a context
		not  []string       // flags with which it is refused
	}{
		{"password", natstest.Serve(t, byPassword), []string{"--nats-user", "fleet", "--nats-password-file", password}, map[string]any{"user": "fleet", "password": "s3cret"},
			[]string{"--nats-user", "fleet", "--nats-password-file", token}},
		{"token", natstest.Serve(t, byToken), []string{"--nats-token-file", token}, map[string]any{"token": "t0ken"}, []string{"--nats-token-file", password}},
		{"nkey", natstest.Serve(t, byKey), []string{"--nats-creds", nk}, map[string]any{"nkey": nk}, nil},
		{"authority", tlsServer(t, a, nil, false), []string{"--nats-ca-file", a.File}, map[string]any{"ca": a.File}, []string{"--nats-ca-file", b.File}},
		{"certificate", tlsServer(t, a, a, false), []string{"--nats-ca-file", a.File, "--nats-cert-file", cert, "--nats-key-file", key},
			map[string]any{"ca": a.File, "cert": cert, "key": key}, []string{"--nats-ca-file", a.File, "--nats-cert-file", otherCert, "--nats-key-file", otherKey}},
		{"TLS first", tlsServer(t, a, nil, true), []string{"--nats-ca-file", a.File, "--nats-tls-first"}, map[string]any{"ca": a.File, "tls_first": true},
			[]string{"--nats-ca-file", a.File, "--nats-tls-first=false"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := fmt.Sprintf("nats://%s", c.to.Addr())
			at := []string{"--nats", url}
			if _, err := dial(t, append(at, c.by...)...); err != nil {
				t.Errorf("by settings: %v", err)
			}
			for _, without := range [][]string{c.not, nil} {
				if _, err := dial(t, append(at, without...)...); err == nil {
					t.Errorf("let in by %v", without)
				}
			}
			c.in["url"] = url
			if _, err := dial(t, "--nats-context", contextFile(t, c.in)); err != nil {
				t.Errorf("by a context: %v", err)
			}
			if c.not == nil {
				return
			}
			if _, err := dial(t, append([]string{"--nats-context", contextFile(t, c.in)}, c.not...)...); err == nil {
				t.Errorf("a context goes before %v", c.not)
			}
		})
	}
}

// A context is found by its name, and sets the inbox prefix, too.
func TestContextByName(t *testing.T) {
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT})
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	if err := os.MkdirAll(filepath.Join(dir, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "nats", "context", "shop.json"), []byte(`{"url":"`+ns.ClientURL()+`","inbox_prefix":"_INBOX_shop","description":"d","color_scheme":"red"}`))
	nc, err := dial(t, "--nats-context", "shop")
	if err != nil || !strings.HasPrefix(nc.NewInbox(), "_INBOX_shop.") {
		t.Errorf("%v", err)
	}
	if _, err := load(t, "--nats-context", "shopp"); err == nil || !strings.Contains(err.Error(), "there is no context shopp") {
		t.Errorf("%v", err)
	}
}

// A context that would run a program, or of which something would be ignored, is refused. No
// fault shows a secret.
func TestContextsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"nsc":"nsc://operator/account/user"}`:               "nsc would run a program",
		`{"socks_proxy":"socks5://x"}`:                        "socks_proxy is not supported",
		`{"user_jwt":"ey"}`:                                   "user_jwt is not supported",
		`{"windows_cert_store":"user"}`:                       "windows_cert_store is not supported",
		`{"password":"s3cret`:                                 "is not a context",
		`{"creds":"/nowhere/at/all.creds"}`:                   "no such file",
		`{"url":"nats://u:s3cret@127.0.0.1"}`:                 "must hold no user or password",
		`{"cert":"/nowhere/client.crt"}`:                      "nats-cert-file",
		`{"ca":"/nowhere/ca.pem"}`:                            "no such file",
		`{"jetstream_domain":"a b"}`:                          "is not a prefix",
		`{"jetstream_api_prefix":"a.>"}`:                      "is not a prefix",
		`{"jetstream_domain":"a","jetstream_api_prefix":"b"}`: "cannot be given together with js-domain",
	} {
		_, err := load(t, "--nats-context", file(t, text)+".json")
		if err == nil {
			t.Fatal("a context that is not there")
		}
		path := filepath.Join(t.TempDir(), "c.json")
		write(t, path, []byte(text))
		if _, err = load(t, "--nats-context", path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A connection has only one login, and that is complete.
func TestLoginsThatAreRefused(t *testing.T) {
	seed, _ := seed(t)
	nk, secret, two := file(t, string(seed)), file(t, "s3cret"), file(t, "s3cret\nanother\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--nats-user", "u"}, "nats-password-file: is needed"},
		{[]string{"--nats-password-file", secret}, "nats-password-file: needs nats-user"},
		{[]string{"--nats-user", "u", "--nats-password-file", two}, "must hold one line"},
		{[]string{"--nats-user", "u", "--nats-password-file", secret, "--nats-token-file", secret}, "nats-token-file: cannot be given together with"},
		{[]string{"--nats-creds", nk, "--nats-token-file", secret}, "nats-token-file: cannot be given together with"},
		{[]string{"--nats-creds", nk, "--nats-user", "u", "--nats-password-file", secret}, "nats-password-file: cannot be given together with"},
		{[]string{"--nats-cert-file", secret}, "nats-key-file: is needed"},
		{[]string{"--nats-ca-file", secret}, "holds no certificate"},
	} {
		if _, err := load(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v: %v", c.args, err)
		}
	}
}

// A password can be rotated, too.
func TestPasswordRotates(t *testing.T) {
	o := func(password string) server.Options {
		return server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, Username: "fleet", Password: password}
	}
	ns := natstest.Serve(t, o("old"))
	path := file(t, "old\n")
	nc, err := dial(t, "--nats", ns.ClientURL(), "--nats-user", "fleet", "--nats-password-file", path)
	if err != nil {
		t.Fatal(err)
	}
	up := nc.StatusChanged(nats.CONNECTED)
	write(t, path, []byte("new\n"))
	now := o("new")
	if err := ns.ReloadOptions(&now); err != nil {
		t.Fatal(err)
	}
	select {
	case <-up:
	case <-time.After(2 * time.Minute):
		t.Fatalf("not connected again: %v", nc.LastError())
	}
}
