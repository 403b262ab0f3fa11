//go:build unix

// The NATS configuration in deploy/nats, unchanged: three servers run it, a fleet does
// everything that a fleet does, and a user is refused only what it must not do.

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// The asker and the listener in users.conf that the tests use.
var (
	deployedAsker    = natsconfig.Asker("refunds")
	deployedListener = natsconfig.Listener("accounting")
)

// deployed is a cluster that runs the shipped configuration.
type deployed struct {
	url   string
	seeds string         // directory of <user>.nk
	log   clitest.Buffer // the servers' warnings
	known int            // refusals that the tests have provoked
}

func (d *deployed) seed(user string) string { return filepath.Join(d.seeds, user+".nk") }

// inbox is the inbox prefix of a user.
func (d *deployed) inbox(t *testing.T, user string) string {
	t.Helper()
	all, err := natsconfig.New(deployedFor)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all.Users() {
		if u.Name == user {
			return u.Inbox
		}
	}
	t.Fatalf("there is no user %s", user)
	return ""
}

// deployedFor holds the options that users.conf was written with.
var deployedFor = natsconfig.Options{Prefix: messages.DefaultPrefix, Account: "PROTOCOLQ", Partners: []string{practicePartner},
	Askers: []string{"refunds", "deduction"}, Listeners: []string{"accounting"}}

// violations are the lines in which a server reports that it refused something to a user.
func (d *deployed) violations() (lines []string) {
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, "Violation") {
			lines = append(lines, line)
		}
	}
	return lines
}

// deploy runs the shipped configuration.
func deploy(t *testing.T) *deployed {
	t.Helper()
	return deployFor(t, deployedFor, "server.conf", "users.conf")
}

// deployFor writes a configuration for these options and runs it. The shipped files replace
// those of the same name.
func deployFor(t *testing.T, o natsconfig.Options, shipped ...string) *deployed {
	t.Helper()
	conf := t.TempDir()
	all, err := natsconfig.New(o)
	if err == nil {
		_, err = all.Write(conf, "a test") // writes the keys, too, which are not shipped
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &deployed{seeds: conf}
	for _, name := range shipped {
		text := readText(t, filepath.Join("..", "..", "deploy", "nats", name))
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var routes []*url.URL
	for range 3 {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: free.Addr().String()})
		_ = free.Close()
	}
	var servers []*server.Server
	var urls []string
	for i := range routes {
		servers = append(servers, d.serve(t, filepath.Join(conf, "server.conf"), i, routes))
	}
	for _, s := range servers {
		if !s.ReadyForConnections(20 * time.Second) {
			t.Fatalf("a server is not ready\n%s", d.log.String())
		}
		urls = append(urls, s.ClientURL())
	}
	clitest.Eventually(t, "a leader of JetStream that knows all three", func() bool {
		return slices.ContainsFunc(servers, func(s *server.Server) bool { return len(s.JetStreamClusterPeers()) == 3 })
	})
	d.url = strings.Join(urls, ",")
	return d
}

// serve starts the i-th server. It changes only those options that differ from machine to
// machine.
func (d *deployed) serve(t *testing.T, conf string, i int, routes []*url.URL) *server.Server {
	t.Helper()
	o, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := localstack.SplitListen(routes[i].Host)
	if err != nil {
		t.Fatal(err)
	}
	o.ServerName, o.StoreDir, o.NoSigs = fmt.Sprintf("nats-%d", i+1), t.TempDir(), true
	o.Host, o.Port = "127.0.0.1", server.RANDOM_PORT
	o.Cluster.Host, o.Cluster.Port, o.Routes = "127.0.0.1", port, routes
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.SetLoggerV2(localstack.Logger(slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelWarn}))), false, false, false)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

// connect connects as a user, with that user's inbox prefix.
func (d *deployed) connect(t *testing.T, user string) *nats.Conn {
	t.Helper()
	nc, err := natsconn.Connect(natsconn.Options{Servers: strings.Split(d.url, ","), Creds: (&settings.Config{}).Login(d.seed(user)), Name: user, Inbox: d.inbox(t, user)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestDeployedNATS(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	provision := launch(t, nil, "provision", "--nats", d.url, "--nats-creds", d.seed(natsconfig.Provisioner), "--replicas", "3", "--asker", "refunds", "--listener", "accounting", "--partner", practicePartner)
	if code := provision.exit(); code != cli.ExitOK {
		t.Fatalf("provision: exit code %d", code)
	}
	s := &stand{t: t, nats: d.url, keys: t.TempDir(), own: []string{"--nats-creds", d.seed(natsconfig.Worker), "--nats-reply-creds", d.seed(natsconfig.Replies), "--attempts", "1"}}
	s.practice()
	hmac := filepath.Join(t.TempDir(), "hmac.key")
	if err := os.WriteFile(hmac, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.own = append(s.own, "--log-hmac-key-file", hmac)
	d.query(t, s)
	s.workers(1)
	d.submit(t)
	d.record(t)
	d.operate(t, hmac)
	d.listen(t)
	d.look(t)
	if refused := d.violations(); len(refused) > 0 {
		t.Errorf("the servers refused what is needed:\n%s", strings.Join(refused, ""))
	}
	d.examine(t, s, hmac)
	for _, command := range []string{"query", "submit"} { // a worker's user may not ask, and the command reports that at once
		p := launch(t, nil, command, "--nats", d.url, "--nats-creds", d.seed(natsconfig.Worker), "--email", "signed@example.com", "--timeout", "5m")
		if code := p.exit(); code != cli.ExitNoAnswer || !strings.Contains(p.err.String(), "the server forbids this user protocol."+command) {
			t.Errorf("%s without the right to: exit code %d, %s", command, code, p.err.String())
		}
	}
}

// query asks two workers, one after the other. The second knows the answer only from the
// journal.
func (d *deployed) query(t *testing.T, s *stand) {
	t.Helper()
	for _, source := range []string{"asked", "remembered"} {
		w := s.workers(1)[0]
		q := launch(t, nil, "query", "--nats", d.url, "--nats-creds", d.seed(deployedAsker), "--inbox-prefix", "_INBOX_refunds", "--email", "signed@example.com", "-o", "json")
		if code := q.exit(); code != cli.ExitOK || !strings.Contains(q.out.String(), `"source":"`+source+`"`) {
			t.Errorf("query: exit code %d, want an answer that is %s: %s", code, source, q.out)
		}
		w.stop()
	}
	if n := len(s.calls()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// submit asks for durable replies and reads them, and sends a message that becomes a dead
// letter.
func (d *deployed) submit(t *testing.T) {
	t.Helper()
	maker, err := jetstream.New(d.connect(t, natsconfig.Provisioner))
	if err != nil {
		t.Fatal(err)
	}
	publishAll(t, d.connect(t, natsconfig.Ops), "protocol.forget") // with a body that no worker can read
	p := launch(t, nil, "submit", "--nats", d.url, "--nats-creds", d.seed(deployedAsker), "--inbox-prefix", "_INBOX_refunds", "--id", "by-command", "--email", "refund-only@example.com", "--reply-to", "protocol.reply.refunds.1")
	if code := p.exit(); code != cli.ExitOK {
		t.Fatalf("submit: exit code %d", code)
	}
	client, err := ask.New(d.connect(t, deployedAsker), ask.Options{Asker: "refunds"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	want := map[string]string{"by-command": "protocol.reply.refunds.1"}
	for id, partner := range map[string]string{"plain": "", "of a partner": practicePartner} { // without a reply_to; the answer is remembered
		if _, err := client.Submit(ctx, messages.Query{ID: id, Partner: partner, UserEmail: "refund-only@example.com"}); err != nil {
			t.Fatal(err)
		}
		want[id] = "protocol.reply.refunds"
	}
	got := map[string]string{}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	err = client.Replies(reading, ask.ReadOptions{}, func(_ context.Context, r ask.Reply) error {
		if got[r.ID] = r.Subject; len(got) == len(want) {
			stop()
		}
		return nil
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("durable replies: %v\n%s", err, diff)
	}
	clitest.Eventually(t, "the dead letter", func() bool {
		dead, err := maker.Stream(t.Context(), "PROTOCOL_DEAD")
		return err == nil && dead.CachedInfo().State.Msgs == 1
	})
}

// record has a recorder store in a database what the workers logged.
func (d *deployed) record(t *testing.T) {
	t.Helper()
	database := "sqlite://" + filepath.Join(t.TempDir(), "log.db")
	r := launch(t, nil, "recorder", "--nats", d.url, "--nats-creds", d.seed(natsconfig.Recorder), "--database", database)
	clitest.Eventually(t, "a run in the query log", func() bool {
		list := launch(t, nil, "log", "list", "--database", database, "--outcome", "signed", "-o", "jsonl")
		return list.exit() == cli.ExitOK && strings.Contains(list.out.String(), `"signed"`)
	})
	r.stop()
}

// examine runs doctor for each part as it runs here, which finds nothing. It also runs doctor
// with another part's credentials, which reports the rights that are missing and those in
// excess.
func (d *deployed) examine(t *testing.T, s *stand, hmac string) {
	t.Helper()
	worker := []string{"--nats", d.url, "--nats-reply-creds", d.seed(natsconfig.Replies), "--partner", practicePartner, "--key-file", filepath.Join(s.keys, practicePartner+".key"),
		"--gateway-url", s.gateway, "--unsafe-gateway", "--log-hmac-key-file", hmac}
	alerts := writeSecret(t, "generic https://hooks.example.com/protocolq\n")
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{append([]string{"--nats-creds", d.seed(natsconfig.Worker)}, worker...), cli.ExitOK, nil},
		{[]string{"--for", "recorder", "--nats", d.url, "--nats-creds", d.seed(natsconfig.Recorder), "--database", "sqlite://" + filepath.Join(t.TempDir(), "log.db")}, cli.ExitOK, nil},
		{[]string{"--for", "recorder", "--alert-webhook-file", alerts, "--nats", d.url, "--nats-creds", d.seed(natsconfig.Recorder), "--database", "sqlite://" + filepath.Join(t.TempDir(), "log.db")}, cli.ExitOK, nil},
		{[]string{"--for", "recorder", "--alert-webhook-file", alerts, "--nats", d.url, "--nats-creds", d.seed(natsconfig.Monitor), "--inbox-prefix", messages.MonitorInbox, "--database", "sqlite://" + filepath.Join(t.TempDir(), "log.db")}, cli.ExitOther,
			[]string{"nats.rights: this user may not publish protocol.alerts, publish $JS.API.DIRECT.GET.PROTOCOL_FLEET.protocol.alerts"}},
		{[]string{"--for", "recorder", "--nats", d.url, "--nats-creds", d.seed(natsconfig.Worker), "--inbox-prefix", messages.WorkerInbox, "--database", "sqlite://" + filepath.Join(t.TempDir(), "log.db")}, cli.ExitOther,
			[]string{"nats.rights: this user may not publish $JS.API.CONSUMER.INFO.PROTOCOL_LOG.recorder", "nats.excess: 3 of 19 attacks work: this user may publish protocol.journal.doctor",
				"publish $JS.API.STREAM.PURGE.PROTOCOL_JOURNAL", "cure: give each part its own user"}},
		{append([]string{"--nats-creds", d.seed(natsconfig.Ops)}, worker...), cli.ExitOther, []string{"nats.rights: this user may not subscribe _INBOX_wk.>"}},
	} {
		p := launch(t, nil, append([]string{"doctor"}, c.args...)...)
		if code := p.exit(); code != c.code || len(c.says) == 0 && p.out.String()+p.err.String() != "" {
			t.Errorf("doctor %s: exit code %d, want %d: %s%s", c.args, code, c.code, p.out, p.err)
		}
		for _, part := range c.says {
			if !strings.Contains(p.out.String(), part) {
				t.Errorf("doctor does not say %q: %s", part, p.out)
			}
		}
	}
}

// operate does everything that an operator may do.
func (d *deployed) operate(t *testing.T, hmac string) {
	t.Helper()
	const partner = practicePartner
	late := fmt.Appendf(nil, `{"user_email":"late@example.com","deadline_ms":%d}`, time.Now().Add(-time.Minute).UnixMilli())
	if err := d.connect(t, deployedAsker).Publish("protocol.submit", late); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		command string
		code    int
		says    string
	}{
		{"dead show 1", cli.ExitOK, "unreadable"},
		{"dead discard 1 --yes", cli.ExitOK, "discarded"},
		{"partner halt " + partner, cli.ExitOK, "halted"},
		{"partner list", cli.ExitOK, partner},
		{"partner resume " + partner, cli.ExitOK, "asked for again"},
		{"forget --email nobody@example.com --yes --log-hmac-key-file " + hmac, cli.ExitOK, "forgotten"},
	} {
		p := launch(t, nil, append(strings.Fields(c.command), "--nats", d.url, "--nats-creds", d.seed(natsconfig.Ops))...)
		if code := p.exit(); code != c.code || !strings.Contains(p.out.String(), c.says) {
			t.Errorf("%s: exit code %d, %s", c.command, code, p.out)
		}
	}
	clitest.Eventually(t, "a dead letter that is asked again", func() bool {
		p := launch(t, nil, "dead", "redrive", "--reason", "expired", "--drop-deadline", "--yes", "--nats", d.url, "--nats-creds", d.seed(natsconfig.Ops))
		return p.exit() == cli.ExitOK && regexp.MustCompile(`redriven +1 of 1 `).MatchString(p.out.String())
	})
}

func (d *deployed) mayNotPublish(t *testing.T, user string, subjects []string) {
	t.Helper()
	nc := d.connect(t, user)
	for _, subject := range subjects {
		d.refused(t, nc, user+" may publish "+subject, subject, nc.Publish(subject, nil))
	}
}

// refused expects exactly one more line of refusal, about subject, after what was just sent.
func (d *deployed) refused(t *testing.T, nc *nats.Conn, fault, subject string, err error) {
	t.Helper()
	d.known++
	if err == nil {
		err = nc.Flush() // when it returns, the server has accepted or refused what came before
	}
	lines := d.violations()
	if err != nil || len(lines) != d.known || !strings.Contains(lines[d.known-1], subject) {
		t.Errorf("%s: %v, refusals %d", fault, err, len(lines))
		d.known = len(lines)
	}
}
