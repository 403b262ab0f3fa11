// The minimum rights of a worker's two users: with them everything works, and a reply cannot reach
// what it must not reach.

package worker_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// users are the fleet's, with the rights that the server's configuration should give them.
var users = map[string]server.Permissions{
	"admin": rights([]string{">"}, []string{">"}), // provisions, and looks into streams for the test
	"main": rights([]string{
		"protocol.journal.*", "protocol.member.>", "protocol.partner.*.*", "_INBOX_wk.>",
		"protocol.event.*.*", "protocol.log.*", "protocol.dead.*",
		"$JS.API.STREAM.INFO.PROTOCOL_JOURNAL", "$JS.API.STREAM.MSG.GET.PROTOCOL_JOURNAL",
		"$JS.API.DIRECT.GET.PROTOCOL_JOURNAL", "$JS.API.STREAM.PURGE.PROTOCOL_JOURNAL",
		"$JS.API.DIRECT.GET.PROTOCOL_FLEET.protocol.partner.*.*", "$JS.API.DIRECT.GET.PROTOCOL_FLEET.protocol.intake",
		"$JS.API.CONSUMER.INFO.PROTOCOL_SUBMITTED.submitted", "$JS.API.CONSUMER.MSG.NEXT.PROTOCOL_SUBMITTED.submitted",
		"$JS.ACK.PROTOCOL_SUBMITTED.submitted.>",
		"$JS.API.STREAM.INFO.PROTOCOL_REPLIES", "$JS.API.STREAM.INFO.PROTOCOL_LOG", "$JS.API.STREAM.INFO.PROTOCOL_DEAD",
	}, []string{"protocol.followed.*", "protocol.member.>", "protocol.changed.*.*", "_INBOX_wk.>"}),
	"reply": rights([]string{"_INBOX_rq.>", "protocol.reply.>"}, []string{
		"protocol.query workers", "protocol.query.> workers", "_INBOX_wr.>",
		"$SRV.PING", "$SRV.PING.>", "$SRV.INFO", "$SRV.INFO.>", "$SRV.STATS", "$SRV.STATS.>"}),
	"asker": rights([]string{"protocol.query", "protocol.query.>", "protocol.submit", "$SRV.STATS.protocol-query"}, []string{"_INBOX_rq.>"}),
}

func rights(publish, subscribe []string) server.Permissions {
	return server.Permissions{Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe}}
}

// guarded is a fleet whose server knows these users, with what the server refused them.
type guarded struct {
	*fleet
	mu      sync.Mutex // guards refused
	refused []string
}

func newGuarded(t *testing.T, o simulator.Options) *guarded {
	t.Helper()
	g := &guarded{}
	g.fleet = newFleet(t, o, func(s *setup) {
		for name, p := range users {
			s.server.Users = append(s.server.Users, &server.User{Username: name, Password: name, Permissions: &p})
		}
		s.asker = []nats.Option{nats.UserInfo("admin", "admin")}
	})
	return g
}

// as connects as one of the users, and notes what the server refuses to it.
func (g *guarded) as(user, inbox string) *nats.Conn {
	return g.connect(user, nats.UserInfo(user, user), nats.CustomInboxPrefix(inbox), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.refused = append(g.refused, user+": "+err.Error())
	}))
}

func (g *guarded) refusals() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.refused...)
}

func (g *guarded) worker(o *worker.Options) {
	o.NATS, o.Reply = g.as("main", "_INBOX_wk"), g.as("reply", "_INBOX_wr")
	o.ReplyAllow, o.OwnInboxes = []string{"_INBOX_rq", "protocol.reply."}, []string{"_INBOX_wk", "_INBOX_wr"}
	o.Cooldown = time.Second
}

func TestLeastPermissions(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, simulator.Options{Latency: 20 * time.Millisecond})
	g.start(g.worker)
	leaving := g.start(g.worker)
	replies, dead := g.replies(), g.letters()
	g.nc = g.as("asker", "_INBOX_rq.one")
	wantAll(t, g.wave(40, 10)(), messages.Signed, "")
	if r := g.ask(messages.Query{UserEmail: "system-error-2@example.com"}); r.Attempts != 3 {
		t.Errorf("with retries: %s", refusal(r))
	}
	if r := g.ask(messages.Query{UserEmail: "signed@example.com", BizType: "1"}); r.Outcome != messages.Refused {
		t.Errorf("a bad one: %s", refusal(r))
	}
	body, _ := messages.Query{ID: "d", UserEmail: "signed+d@example.com", ReplyTo: "protocol.reply.test"}.Encode(messages.MsgPack)
	late, _ := messages.Query{ID: "w", UserEmail: "system-error-7@example.com", ReplyTo: "protocol.reply.test"}.Encode(messages.MsgPack)
	for _, b := range [][]byte{body, late} { // the second one waits in between, in a stream of its own
		if _, err := g.nc.Request(g.names.Submit(), b, time.Minute); err != nil {
			t.Fatal(err)
		}
		if r := g.reply(replies); r.Outcome != messages.Signed {
			t.Errorf("durable reply: %s", refusal(r))
		}
	}
	if err := g.nc.Publish(g.names.Query(), []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	within(t, "a dead letter", func() bool { return dead() == 1 })
	if _, err := g.nc.Request("$SRV.STATS.protocol-query", nil, time.Minute); err != nil {
		t.Errorf("stats: %v", err)
	}
	if err := leaving.stop(); err != nil {
		t.Error(err)
	}
	within(t, "events of the runs", func() bool {
		s, err := g.js.Stream(t.Context(), g.names.Stream(messages.Events))
		return err == nil && s.CachedInfo().State.Msgs >= 12
	})
	g.wantRest()
	if r := g.refusals(); len(r) != 0 {
		t.Errorf("the server refused %d times: %v", len(r), r)
	}
}

// Even without the check of reply subjects, the reply connection itself reaches none of these, and
// may not subscribe to others' replies.
func TestReplyUserReachesNothingElse(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, simulator.Options{})
	reply := g.as("reply", "_INBOX_wr")
	forbidden := []string{"protocol.journal.AAAA", "protocol.member.AAAA", "protocol.submit", "protocol.query", "protocol.changed.AAAA", "protocol.event.p.signed",
		"protocol.dead.poison", "protocol.followed.p", "$JS.API.STREAM.DELETE.PROTOCOL_JOURNAL", "$JS.API.STREAM.PURGE.PROTOCOL_JOURNAL", "$KV.x.y", "$SYS.REQ.SERVER.PING",
		"$JS.ACK.PROTOCOL_SUBMITTED.submitted.1.1.1.1.1", "_INBOX_wk.abc", "_INBOX_wr.abc", "_R_.x", "other"}
	heard, err := g.nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	for i, to := range forbidden {
		if err := reply.Publish(to, nil); err != nil {
			t.Fatal(err)
		}
		if err := reply.Flush(); err != nil {
			t.Fatal(err)
		}
		within(t, to+" refused", func() bool { return len(g.refusals()) == i+1 })
		if r := g.refusals()[i]; !strings.Contains(r, "Permissions Violation for Publish to \""+to+"\"") {
			t.Errorf("%s: %s", to, r)
		}
	}
	for _, to := range []string{"_INBOX_rq.one.abc", "protocol.reply.refunds"} { // the two that it is for
		if err := reply.Publish(to, []byte(to)); err != nil {
			t.Fatal(err)
		}
	}
	for seen := 0; seen < 2; {
		m, err := heard.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case m.Subject == string(m.Data):
			seen++
		case !strings.HasPrefix(m.Subject, "$JS.EVENT.") && !strings.HasPrefix(m.Subject, "$JS.API.") && !strings.HasPrefix(m.Subject, "_INBOX."):
			t.Errorf("%s was published to", m.Subject)
		}
	}
	for _, subject := range []string{"_INBOX_rq.>", "protocol.reply.>", "protocol.changed.*.*", "protocol.followed.*", ">", "protocol.query"} {
		before := len(g.refusals())
		if _, err := reply.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		within(t, "listening to "+subject+" refused", func() bool { return len(g.refusals()) == before+1 })
		if r := g.refusals()[before]; !strings.Contains(r, "Permissions Violation for Subscription to \""+subject+"\"") {
			t.Errorf("%s: %s", subject, r)
		}
	}
}
