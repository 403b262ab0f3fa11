//go:build unix

// The NATS configuration in deploy/nats as it stands: three servers run it, a fleet does all it
// does, and nobody is refused anything but what nobody should do.

package main

import (
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

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

var deployedUsers = []string{"provisioner", "worker", "replies", "recorder", "ops", "asker"}

// deployed is a cluster that runs the shipped configuration.
type deployed struct {
	url   string
	seeds string     // directory of <user>.nk
	log   transcript // what the servers warn of
	known int        // refusals that were wanted
}

func (d *deployed) seed(user string) string { return filepath.Join(d.seeds, user+".nk") }

// violations are the lines in which a server says that it refused somebody something.
func (d *deployed) violations() (lines []string) {
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, "Violation") {
			lines = append(lines, line)
		}
	}
	return lines
}

func deploy(t *testing.T) *deployed {
	t.Helper()
	d := &deployed{seeds: t.TempDir()}
	conf := t.TempDir()
	for _, name := range []string{"server.conf", "users.conf"} {
		text := readText(t, filepath.Join("..", "..", "deploy", "nats", name))
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(conf, "keys.conf"), []byte(d.makeKeys(t)), 0o600); err != nil {
		t.Fatal(err)
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
	eventually(t, 30*time.Second, "a leader of JetStream that knows all three", func() bool {
		return slices.ContainsFunc(servers, func(s *server.Server) bool { return len(s.JetStreamClusterPeers()) == 3 })
	})
	d.url = strings.Join(urls, ",")
	return d
}

// makeKeys writes a seed for every user, and gives the file of their public keys.
func (d *deployed) makeKeys(t *testing.T) string {
	t.Helper()
	var public strings.Builder
	for _, user := range deployedUsers {
		pair, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		key, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		seed, err := pair.Seed()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.seed(user), append(seed, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&public, "%s = %q\n", strings.ToUpper(user), key)
	}
	return public.String()
}

// serve starts the i-th server. Only what differs from machine to machine is not as in the file.
func (d *deployed) serve(t *testing.T, conf string, i int, routes []*url.URL) *server.Server {
	t.Helper()
	o, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := splitListen(routes[i].Host)
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
	s.SetLoggerV2(newServerLog(slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelWarn}))), false, false, false)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func (d *deployed) connect(t *testing.T, user string) *nats.Conn {
	t.Helper()
	nc, err := connectNATS(natsOptions{Servers: strings.Split(d.url, ","), Creds: (&Config{}).login(d.seed(user)), Name: user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestDeployedNATS(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	provision := launch(t, nil, "provision", "--nats", d.url, "--nats-creds", d.seed("provisioner"), "--replicas", "3")
	if code := provision.exit(60 * time.Second); code != exitOK {
		t.Fatalf("provision: exit code %d", code)
	}
	s := &stand{t: t, nats: d.url, keys: t.TempDir(), own: []string{"--nats-creds", d.seed("worker"), "--nats-reply-creds", d.seed("replies"), "--attempts", "1"}}
	s.practice()
	hmac := filepath.Join(t.TempDir(), "hmac.key")
	if err := os.WriteFile(hmac, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.own = append(s.own, "--log-hmac-key-file", hmac)
	d.query(t, s)
	s.workers(1)
	d.submit(t)
	d.wait(t)
	d.record(t)
	d.operate(t)
	if refused := d.violations(); len(refused) > 0 {
		t.Errorf("the servers refused what is needed:\n%s", strings.Join(refused, ""))
	}
	d.refuses(t)
	for _, command := range []string{"query", "submit"} { // a worker's key is nobody's to ask with
		p := launch(t, nil, command, "--nats", d.url, "--nats-creds", d.seed("worker"), "--email", "signed@example.com", "--timeout", "2s")
		if code := p.exit(30 * time.Second); code != exitNoAnswer || !strings.Contains(p.err.String(), "the server forbids this user protocol."+command) {
			t.Errorf("%s without the right to: exit code %d, %s", command, code, p.err.String())
		}
	}
}

// query asks two workers, one after the other: the second knows the answer only from the key's
// record.
func (d *deployed) query(t *testing.T, s *stand) {
	t.Helper()
	for _, source := range []string{"asked", "remembered"} {
		w := s.workers(1)[0]
		q := launch(t, nil, "query", "--nats", d.url, "--nats-creds", d.seed("asker"), "--email", "signed@example.com", "-o", "json")
		if code := q.exit(30 * time.Second); code != exitOK || !strings.Contains(q.out.String(), `"source":"`+source+`"`) {
			t.Errorf("query: exit code %d, want an answer that is %s: %s", code, source, q.out)
		}
		w.stop(30 * time.Second)
	}
	if n := len(s.calls()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// submit asks for a durable answer and reads it, and sends something that becomes a dead letter.
func (d *deployed) submit(t *testing.T) {
	t.Helper()
	maker, err := jetstream.New(d.connect(t, "provisioner"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = maker.CreateConsumer(t.Context(), "PROTOCOL_REPLIES", jetstream.ConsumerConfig{Durable: "asker",
		FilterSubject: "protocol.reply.asker.>", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, "submit", "--nats", d.url, "--nats-creds", d.seed("asker"), "--email", "refund-only@example.com", "--reply-to", "protocol.reply.asker.1")
	if code := p.exit(30 * time.Second); code != exitOK {
		t.Fatalf("submit: exit code %d", code)
	}
	js, err := jetstream.New(d.connect(t, "asker"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "protocol.submit", []byte("unreadable")); err != nil {
		t.Error(err)
	}
	own, err := js.Consumer(t.Context(), "PROTOCOL_REPLIES", "asker")
	if err != nil {
		t.Fatal(err)
	}
	m, err := own.Next(jetstream.FetchMaxWait(20 * time.Second))
	if err != nil {
		t.Fatalf("no durable answer: %v", err)
	}
	if err := m.DoubleAck(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, 20*time.Second, "the dead letter", func() bool {
		dead, err := maker.Stream(t.Context(), "PROTOCOL_DEAD")
		return err == nil && dead.CachedInfo().State.Msgs == 1
	})
}

// wait submits what gets no answer, and sees it taken again from where it waits.
func (d *deployed) wait(t *testing.T) {
	t.Helper()
	launch(t, nil, "submit", "--nats", d.url, "--nats-creds", d.seed("asker"), "--email", "system-error@example.com").exit(30 * time.Second)
	js, err := jetstream.New(d.connect(t, "provisioner"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the query in the stream of those that wait, taken and put back", func() bool {
		waiting, err := js.Consumer(t.Context(), "PROTOCOL_WAITING", "waiting")
		return err == nil && waiting.CachedInfo().Delivered.Consumer >= 1
	})
}

// record reads what the workers logged into a database.
func (d *deployed) record(t *testing.T) {
	t.Helper()
	database := "sqlite://" + filepath.Join(t.TempDir(), "log.db")
	r := launch(t, nil, "recorder", "--nats", d.url, "--nats-creds", d.seed("recorder"), "--database", database)
	eventually(t, 30*time.Second, "a run in the query log", func() bool {
		list := launch(t, nil, "log", "list", "--database", database, "--outcome", "signed", "-o", "jsonl")
		return list.exit(20*time.Second) == exitOK && strings.Contains(list.out.String(), `"signed"`)
	})
	r.stop(30 * time.Second)
}

// operate does all that an operator may.
func (d *deployed) operate(t *testing.T) {
	t.Helper()
	const partner = "2088000000000001"
	launch(t, nil, "submit", "--nats", d.url, "--nats-creds", d.seed("asker"), "--email", "signed@example.com", "--reply-to", "other.place").exit(30 * time.Second)
	for _, c := range []struct {
		command string
		code    int
		says    string
	}{
		{"dead show 1", exitOK, "unreadable"},
		{"dead discard 1 --yes", exitOK, "discarded"},
		{"partner halt " + partner, exitOK, "halted"},
		{"partner list", exitOK, partner},
		{"partner resume " + partner, exitOK, "asked for again"},
	} {
		p := launch(t, nil, append(strings.Fields(c.command), "--nats", d.url, "--nats-creds", d.seed("ops"))...)
		if code := p.exit(30 * time.Second); code != c.code || !strings.Contains(p.out.String(), c.says) {
			t.Errorf("%s: exit code %d, %s", c.command, code, p.out)
		}
	}
	eventually(t, 20*time.Second, "a dead letter that is asked again", func() bool {
		p := launch(t, nil, "dead", "redrive", "--reason", "reply_refused", "--yes", "--nats", d.url, "--nats-creds", d.seed("ops"))
		return p.exit(30*time.Second) == exitOK && regexp.MustCompile(`redriven +1 of 1 `).MatchString(p.out.String())
	})
}

// refuses tries with each user what it must not do.
func (d *deployed) refuses(t *testing.T) {
	t.Helper()
	if nc, err := nats.Connect(d.url); err == nil {
		nc.Close()
		t.Error("whoever has no key is let in")
	}
	const steal, spoil = "$JS.API.STREAM.DELETE.PROTOCOL_STATE", "protocol.state.0123456789abcdefghijklmnop"
	for user, publish := range map[string][]string{
		"asker": {spoil, steal, "$JS.API.STREAM.INFO.PROTOCOL_STATE", "protocol.request.x", "protocol.changed.x", "protocol.reply.other",
			"_INBOX.other", "$JS.API.CONSUMER.CREATE.PROTOCOL_REPLIES.spy", "$JS.ACK.PROTOCOL_REQUESTS.asked.1.1.1.1.1"},
		"replies":     {spoil, steal, "protocol.query", "protocol.request.x", "_INBOX_wk.other"},
		"worker":      {steal, "$JS.API.STREAM.PURGE.PROTOCOL_STATE", "$JS.API.CONSUMER.CREATE.PROTOCOL_REQUESTS.spy", "_INBOX.other", "protocol.reply.other"},
		"provisioner": {spoil, steal, "protocol.query"},
		"recorder":    {spoil, steal, "protocol.log.run", "$JS.API.CONSUMER.MSG.NEXT.PROTOCOL_REQUESTS.asked"},
		"ops":         {spoil, steal, "protocol.reply.other", "$JS.API.STREAM.MSG.DELETE.PROTOCOL_REQUESTS", "$JS.API.CONSUMER.CREATE.PROTOCOL_REPLIES.spy"},
	} {
		nc := d.connect(t, user)
		for _, subject := range publish {
			d.refused(t, nc, user+" may publish "+subject, subject, nc.Publish(subject, nil))
		}
	}
	asker := d.connect(t, "asker")
	for _, subject := range []string{"protocol.query", "protocol.changed.*", "protocol.reply.>", "protocol.event.>", "$JS.>", ">"} {
		_, err := asker.SubscribeSync(subject)
		d.refused(t, asker, "an asker may subscribe "+subject, subject, err)
	}
}

// refused wants exactly one more line of refusal, about subject, after what was just sent.
func (d *deployed) refused(t *testing.T, nc *nats.Conn, fault, subject string, err error) {
	t.Helper()
	d.known++
	if err == nil {
		err = nc.Flush() // the server has read, and judged, what came before
	}
	lines := d.violations()
	if err != nil || len(lines) != d.known || !strings.Contains(lines[d.known-1], subject) {
		t.Errorf("%s: %v, refusals %d", fault, err, len(lines))
		d.known = len(lines)
	}
}
