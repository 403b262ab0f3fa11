//go:build unix

// deploy/docs/backup.md: streams and query log are backed up, and restored on an empty server.
// Only what was asked after the backup is lost.

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/messages"
	"protocolq/worker/provision"
)

// backedUp is the snapshot of one stream, as JetStream sends it.
type backedUp struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
	Error  json.RawMessage `json:"error"`
	chunks [][]byte
}

// backUp reads a stream with its consumers, as `nats stream backup` does.
func backUp(t *testing.T, nc *nats.Conn, stream string) (b backedUp) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := nc.Request("$JS.API.STREAM.SNAPSHOT."+stream, fmt.Appendf(nil, `{"deliver_subject":%q,"chunk_size":65536}`, inbox), time.Minute)
	if err == nil {
		err = json.Unmarshal(answer.Data, &b)
	}
	if err != nil || b.Error != nil {
		t.Fatalf("%s: %v %s", stream, err, b.Error)
	}
	for {
		m, err := sub.NextMsg(20 * time.Second)
		if err != nil {
			t.Fatalf("%s: %v", stream, err)
		}
		if len(m.Data) == 0 {
			return b
		}
		b.chunks = append(b.chunks, m.Data)
		if m.Reply == "" {
			continue // the server wants only some chunks acknowledged
		}
		if err := m.Respond(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// restore makes a stream from its snapshot, as `nats stream restore` does.
func (b backedUp) restore(t *testing.T, nc *nats.Conn, stream string) {
	t.Helper()
	ask := func(subject string, body []byte) (to string) {
		t.Helper()
		m, err := nc.Request(subject, body, time.Minute)
		var answer struct {
			Deliver string          `json:"deliver_subject"`
			Error   json.RawMessage `json:"error"`
		}
		if err == nil && len(m.Data) > 0 {
			err = json.Unmarshal(m.Data, &answer)
		}
		if err != nil || answer.Error != nil {
			t.Fatalf("%s: %v %s", stream, err, answer.Error)
		}
		return answer.Deliver
	}
	to := ask("$JS.API.STREAM.RESTORE."+stream, fmt.Appendf(nil, `{"config":%s,"state":%s}`, b.Config, b.State))
	for _, chunk := range b.chunks {
		ask(to, chunk)
	}
	ask(to, nil)
}

// backupOrder is the order in which the page backs streams up.
var backupOrder = []messages.Kind{messages.Submitted, messages.Journal, messages.Fleet, messages.Replies, messages.Events, messages.Dead, messages.Log, messages.Watches}

func TestBackup(t *testing.T) {
	t.Parallel()
	names := defaultNames(t)
	page := readPage(t, "deploy/docs/backup.md")
	order := ""
	for _, k := range backupOrder {
		order += " " + strings.TrimPrefix(names.Stream(k), "PROTOCOL_")
	}
	if strings.Count(page, "for stream in"+order+"; do") != 2 || len(backupOrder) != len(provision.Streams(provision.Options{Names: names})) {
		t.Errorf("the page does not back up and restore%s", order)
	}
	// The console's two files, at the paths that its unit names.
	unit := readPage(t, "deploy/systemd/protocolq-console.service")
	for file, inUnit := range map[string]string{"/etc/protocolq/console-users.yaml": "/etc/protocolq/console-users.yaml", "/var/lib/protocolq-console/audit.jsonl": "%S/protocolq-console/audit.jsonl"} {
		if !strings.Contains(unit, inUnit) || !strings.Contains(page, " "+file) {
			t.Errorf("the page does not back up %s", file)
		}
	}
	hmac := writeSecret(t, strings.Repeat("k", 32))
	s := newStand(t, standOptions{Worker: []string{"--log-hmac-key-file", hmac, "--freshness", "10m"}})
	w := s.workers(1)[0]
	log := filepath.Join(t.TempDir(), "log.db")
	recorder := launch(t, nil, "recorder", "--nats", s.nats, "--database", "sqlite://"+log)
	submitEach(t, s.nats, "before", 12)
	recorded := func(database string, n int) bool {
		p := launch(t, nil, "log", "list", "--database", "sqlite://"+database, "--outcome", "signed", "-o", "jsonl")
		return p.exit() == cli.ExitOK && strings.Count(p.out.String(), `"outcome":"signed"`) == n
	}
	clitest.Eventually(t, "12 durable replies", func() bool { return s.messages(messages.Replies) == 12 })
	clitest.Eventually(t, "12 queries in the query log", func() bool { return recorded(log, 12) })
	w.stop()
	submitEach(t, s.nats, "waiting", 5)

	nc, kept := s.connect(), map[messages.Kind]backedUp{}
	for _, k := range backupOrder {
		kept[k] = backUp(t, nc, names.Stream(k))
	}
	recorder.stop()
	copied := filepath.Join(t.TempDir(), "log.db")
	data, err := os.ReadFile(log)
	if err == nil {
		err = os.WriteFile(copied, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	submitEach(t, s.nats, "after", 3)
	calls := len(s.calls())

	// Another server, which has no streams yet.
	server, err := localstack.StartNATS(localstack.NATSOptions{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s.nats = server.URL()
	nc = s.connect()
	for _, k := range backupOrder {
		kept[k].restore(t, nc, names.Stream(k))
	}
	if code := launch(t, nil, "provision", "--nats", s.nats, "--update").exit(); code != cli.ExitOK {
		t.Fatalf("provision --update: exit code %d", code)
	}
	recorder = launch(t, nil, "recorder", "--nats", s.nats, "--database", "sqlite://"+copied)
	s.workers(1)
	clitest.Eventually(t, "the replies of before and of those that waited", func() bool { return s.messages(messages.Replies) == 17 })
	clitest.Eventually(t, "both in the query log", func() bool { return recorded(copied, 17) })
	if n := len(s.calls()) - calls; n != 5 {
		t.Errorf("%d calls after the restore, want those of the 5 that waited", n)
	}
	for who, source := range map[string]string{"before": "remembered", "waiting": "remembered", "after": "asked"} {
		p := launch(t, nil, "query", "--nats", s.nats, "--email", person("signed", who+"0"), "-o", "json")
		if code := p.exit(); code != cli.ExitOK || !strings.Contains(p.out.String(), `"source":"`+source+`"`) {
			t.Errorf("asked %s the backup: exit code %d, want %s: %s", who, code, source, p.out)
		}
	}
	recorder.stop()
}

// submitEach submits n queries with durable replies, each about a different person.
func submitEach(t *testing.T, url, who string, n int) {
	t.Helper()
	for i := range n {
		p := launch(t, nil, "submit", "--nats", url, "--email", person("signed", fmt.Sprint(who, i)), "--reply-to", "protocol.reply.backup")
		if code := p.exit(); code != cli.ExitOK {
			t.Fatalf("submit: exit code %d", code)
		}
	}
}
