//go:build unix

// How a worker starts while NATS is not there yet, and how it refuses invalid settings.

package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// line is one line of a worker's log.
type line struct {
	Time       time.Time
	Level      string
	Msg        string
	Connection string
	Hint       string
}

// said returns the lines of the log.
func (p *process) said() (list []line) {
	p.t.Helper()
	for s := bufio.NewScanner(strings.NewReader(p.err.String())); s.Scan(); {
		var l line
		if json.Unmarshal(s.Bytes(), &l) != nil {
			continue // the last line may be incomplete
		}
		list = append(list, l)
	}
	return list
}

// TestNATSComesLater: the worker reports that there is no NATS, tries less and less often, and
// serves when the server and its streams are there.
func TestNATSComesLater(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	s := &stand{t: t, nats: "nats://" + address, keys: t.TempDir()}
	s.practice()
	w := s.begin()
	clitest.Eventually(t, "a word about the missing server", func() bool { return len(w.said()) > 0 })
	watch := time.Now()
	clitest.Eventually(t, "three seconds", func() bool { return time.Since(watch) > 3*time.Second })
	told := 0
	for _, l := range w.said() {
		if strings.Contains(l.Msg, "not reached") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("it told %d times in 3 s that it reaches no server, want once", told)
	}
	if strings.Contains(w.err.String(), "streams") {
		t.Error("it speaks of streams while there is no server")
	}
	server, err := localstack.StartNATS(localstack.NATSOptions{Listen: address, Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	clitest.Eventually(t, "a word about the missing streams", func() bool { return strings.Contains(w.err.String(), "run protocolq provision") })
	if code := launch(t, nil, "provision", "--nats", s.nats).exit(); code != cli.ExitOK {
		t.Fatalf("provision: exit code %d", code)
	}
	w.ready()
	if r := s.answer(messages.Query{UserEmail: person("signed", "late")}); r.Outcome != messages.Signed {
		t.Errorf("answered %+v", r)
	}
}

// TestStopBeforeItServes: a worker that waits for NATS, or for its streams, has nothing to
// finish when it is stopped.
func TestStopBeforeItServes(t *testing.T) {
	t.Parallel()
	server, err := localstack.StartNATS(localstack.NATSOptions{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s := &stand{t: t, nats: server.URL(), keys: t.TempDir()}
	s.practice()
	nobody := *s
	nobody.nats = "nats://127.0.0.1:1"
	for word, stand := range map[string]*stand{"run protocolq provision": s, "not reached": &nobody} {
		w := stand.begin("--grace", "1m")
		clitest.Eventually(t, word, func() bool { return strings.Contains(w.err.String(), word) })
		w.stop()
	}
}

// TestBadSettings: all faults are reported at once, each by the setting's name, whichever way
// it was set.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte("window: soon\ncolour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := launch(t, []string{"PROTOCOLQ_ATTEMPTS=many", "PROTOCOLQ_CHARSET=utf-7"}, "worker", "--config", file, "--nats", "nats://user:hunter22@somewhere",
		"--partner", "2088", "--sign-type", "ROT13", "--gateway-url", "nowhere", "--prefix", "a..b", "--slots", "0", "--after-crash", "maybe",
		"--log-level", "loud", "--lease", "1ms")
	if code := w.exit(); code != cli.ExitUsage {
		t.Errorf("exit code %d", code)
	}
	said := w.err.String()
	for _, name := range []string{"window", "colour", "ATTEMPTS", "CHARSET", "nats", "partner", "sign-type", "gateway-url", "prefix", "slots",
		"after-crash", "log-level", "lease"} {
		if !strings.Contains(said, name) {
			t.Errorf("no word about %s in\n%s", name, said)
		}
	}
	if strings.Contains(said, "hunter22") || w.out.String() != "" {
		t.Errorf("a password, or something on stdout %q, in\n%s", w.out, said)
	}
}

// TestBadKeyFiles: the error says what is wrong with the file, and shows nothing of its
// content.
func TestBadKeyFiles(t *testing.T) {
	t.Parallel()
	const secret = "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3yk3y" // 33, one too many
	dir := t.TempDir()
	for name, c := range map[string]struct{ signType, content, want string }{
		"too-long": {"MD5", secret, "32"},
		"empty":    {"MD5", "", "empty"},
		"not-rsa":  {"RSA", secret, "key"},
		"not-pem":  {"RSA2", "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n", "key"},
		"not-dsa":  {"DSA", secret, "key"},
		"missing":  {"MD5", "none", "no such file"},
		"itself":   {"MD5", "none", "give the path"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			switch {
			case name == "itself":
				path = secret[:32]
			case c.content != "none":
				if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w := launch(t, nil, "worker", "--partner", settings.PracticeSet[0].ID, "--sign-type", c.signType, "--key-file", path)
			if code := w.exit(); code != cli.ExitUsage {
				t.Errorf("exit code %d", code)
			}
			said := w.err.String()
			if !strings.Contains(said, "key-file") || !strings.Contains(said, c.want) {
				t.Errorf("said %q, want key-file and %q", said, c.want)
			}
			if strings.Contains(said, secret[:12]) {
				t.Errorf("shows the key: %q", said)
			}
		})
	}
}
