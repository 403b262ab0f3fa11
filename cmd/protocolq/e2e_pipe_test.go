//go:build unix

// Keys from pipes: every command reads them once, and waits for them until a signal.

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// TestWorkerWithPipes: the partner's signing key and the log's HMAC key are read from pipes
// that are written once, and the worker answers.
func TestWorkerWithPipes(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{})
	key, hmac := clitest.Pipe(t, settings.PracticeSet[0].Key+"\n"), clitest.Pipe(t, strings.Repeat("ab", 32)+"\n")
	launched := s.begin("--partner", settings.PracticeSet[0].ID, "--key-file", key, "--log-hmac-key-file", hmac).ready()
	if r := s.answer(messages.Query{UserEmail: person("signed", "pipe")}); r.Outcome != messages.Signed {
		t.Errorf("answered %+v", r)
	}
	if said := launched.err.String(); strings.Contains(said, "open to others") {
		t.Errorf("a warning about a pipe:\n%s", said)
	}
	launched.stop()
}

// TestSilentPipe: a command that waits for a file ends at the first signal, and reports which
// file it was.
func TestSilentPipe(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(settings.PracticeSet[0].Key), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"sign":     {"sign", "--sign-type", "MD5", "--", "a=1", "--key-file"},
		"verify":   {"verify", "--sign-type", "RSA", "--public-key-file"},
		"call":     {"call", "--email", "a@example.com", "--partner", settings.PracticeSet[0].ID, "--key-file"},
		"form":     {"form", "--email", "a@example.com", "--partner", settings.PracticeSet[0].ID, "--key-file"},
		"worker":   {"worker", "--partner", settings.PracticeSet[0].ID, "--key-file"},
		"the log":  {"worker", "--partner", settings.PracticeSet[0].ID, "--log-hmac-key-file"},
		"recorder": {"recorder", "--nats-creds"},
		"query":    {"query", "--email", "a@example.com", "--nats-creds"},
		"config":   {"query", "--email", "a@example.com", "--config"},
		"answer":   {"verify", "--sign-type", "MD5", "--key-file", key, "--xml"},
		"queries":  {"demo"},
		"accounts": {"bench", "--accounts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pipe := clitest.NamedPipe(t)
			if i := len(args) - 1; name == "sign" {
				args = append([]string{"sign", args[i], pipe}, args[1:i]...)
			} else if args = append(args, pipe); name == "verify" {
				args = append(args, "--", "a=1")
			}
			p := launch(t, nil, args...)
			var writer *os.File
			clitest.Eventually(t, "waiting for the key", func() (open bool) {
				var err error
				writer, err = os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
				return err == nil // there is a reader
			})
			defer writer.Close()
			p.signal(syscall.SIGTERM)
			if code := p.exit(); code != cli.ExitSignalled || !strings.Contains(p.err.String(), "protocolq: stopped by a signal while reading "+pipe+"\n") {
				t.Errorf("exit code %d, said %s", code, p.err)
			}
		})
	}
}
