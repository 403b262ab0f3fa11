//go:build unix

// Keys from pipes: read once by every command, and waited for until a signal.

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
)

func namedPipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pipeOf is a named pipe out of which text can be read once.
func pipeOf(t *testing.T, text string) string {
	t.Helper()
	path := namedPipe(t)
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte(text), 0) }()
	t.Cleanup(func() {
		if err := <-written; err != nil {
			t.Error(err)
		}
	})
	return path
}

// TestWorkerWithPipes: the partner's key and the log's are read from pipes that are written once,
// and the worker answers.
func TestWorkerWithPipes(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{})
	key, hmac := pipeOf(t, practiceSet[0].key+"\n"), pipeOf(t, strings.Repeat("ab", 32)+"\n")
	launched := s.begin("--partner", practiceSet[0].id, "--key-file", key, "--log-hmac-key-file", hmac).ready()
	if r := s.answer(messages.Query{UserEmail: person("signed", "pipe")}); r.Outcome != messages.Signed {
		t.Errorf("answered %+v", r)
	}
	if said := launched.err.String(); strings.Contains(said, "open to others") {
		t.Errorf("a warning about a pipe:\n%s", said)
	}
	launched.stop(20 * time.Second)
}

// TestPipesAreNotReadAgain: what came from a pipe has no file that the gateway's client could look
// at again.
func TestPipesAreNotReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(practiceSet[0].key), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipeOf(t, practiceSet[0].key): "", file: file} {
		c := Config{Partner: practiceSet[0].id, SignType: "MD5", Charset: "utf-8", KeyFile: path}
		partners, err := c.partners()
		if err != nil || len(partners) != 1 || partners[0].KeyFile != want {
			t.Fatalf("%+v, %v", partners, err)
		}
		client, err := gateway.New(gateway.Options{Partners: partners})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Reload(); err != nil {
			t.Error(err)
		}
		client.Close()
		if source := c.sources.get(path, secretFile); source.err != nil || len(source.material) == 0 {
			t.Errorf("asked for twice: %v", source.err)
		}
	}
}

// TestSilentPipe: whoever waits for a file ends at the first signal, and says for which.
func TestSilentPipe(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(practiceSet[0].key), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"sign":     {"sign", "--sign-type", "MD5", "--", "a=1", "--key-file"},
		"verify":   {"verify", "--sign-type", "RSA", "--public-key-file"},
		"call":     {"call", "--email", "a@example.com", "--partner", practiceSet[0].id, "--key-file"},
		"form":     {"form", "--email", "a@example.com", "--partner", practiceSet[0].id, "--key-file"},
		"worker":   {"worker", "--partner", practiceSet[0].id, "--key-file"},
		"the log":  {"worker", "--partner", practiceSet[0].id, "--log-hmac-key-file"},
		"recorder": {"recorder", "--nats-creds"},
		"query":    {"query", "--email", "a@example.com", "--nats-creds"},
		"config":   {"query", "--email", "a@example.com", "--config"},
		"answer":   {"verify", "--sign-type", "MD5", "--key-file", key, "--xml"},
		"queries":  {"demo"},
		"accounts": {"bench", "--accounts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pipe := namedPipe(t)
			if i := len(args) - 1; name == "sign" {
				args = append([]string{"sign", args[i], pipe}, args[1:i]...)
			} else if args = append(args, pipe); name == "verify" {
				args = append(args, "--", "a=1")
			}
			p := launch(t, nil, args...)
			var writer *os.File
			eventually(t, 20*time.Second, "waiting for the key", func() (open bool) {
				var err error
				writer, err = os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
				return err == nil // there is a reader
			})
			defer writer.Close()
			p.signal(syscall.SIGTERM)
			if code := p.exit(20 * time.Second); code != exitOther || !strings.Contains(p.err.String(), "protocolq: stopped by a signal while reading "+pipe+"\n") {
				t.Errorf("exit code %d, said %s", code, p.err)
			}
		})
	}
}

// TestSeedFromAPipe: the connection comes back after it was lost, with a seed that can be read
// once.
func TestSeedFromAPipe(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err1 := pair.Seed()
	user, err2 := pair.PublicKey()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	ns := natsWith(t, server.Options{Nkeys: []*server.NkeyUser{{Nkey: user}}})
	c := &Config{NATSCreds: pipeOf(t, string(seed)+"\n")}
	if err := c.checkCreds(c.NATSCreds); err != nil {
		t.Fatal(err)
	}
	nc, err := connectNATS(natsOptions{Servers: []string{ns.ClientURL()}, Creds: c.login(c.NATSCreds), Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	eventually(t, 10*time.Second, "connected", nc.IsConnected)
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "connected again", func() bool { return nc.IsConnected() && nc.Stats().Reconnects > 0 })
}

// TestKeysAreReadOnce: whatever asks for it, a pipe is read once, and an error is told again.
func TestKeysAreReadOnce(t *testing.T) {
	var k keySources
	path := pipeOf(t, practiceSet[0].key)
	for range 3 {
		if _, err := parseKey(k.get(path, secretFile), mapi.MD5, mapi.ParseKey); err != nil {
			t.Error(err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none")
	for range 2 {
		if _, err := parseKey(k.get(missing, secretFile), mapi.MD5, mapi.ParseKey); err == nil || !strings.Contains(err.Error(), "read key file: open ") {
			t.Error(err)
		}
	}
}
