// Every user publishes everything that it may, with every reply subject that could do harm.
// Only what that user is there to change may change.

package natsconfig_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
)

// purpose holds what each user is there to change, as lines of an inventory. The name of a
// subject also stands for messages that are seen on it. A user that is not in it is the fleet
// itself.
var purpose = map[string][]string{
	natsconfig.Replies:                {"messages PROTOCOL_REPLIES protocol.reply.>", "position PROTOCOL_REPLIES *"}, // askers may wait for them
	natsconfig.Recorder:               {"position PROTOCOL_LOG recorder", "messages PROTOCOL_LOG protocol.log.*", "messages PROTOCOL_FLEET protocol.alerts"},
	natsconfig.Monitor:                {},
	natsconfig.Listener("accounting"): {"position PROTOCOL_EVENTS accounting"},
	natsconfig.Asker("refunds"):       ofAsker("refunds"),
	natsconfig.Asker("deduction"):     ofAsker("deduction"),
	natsconfig.HTTPDoor: {"messages PROTOCOL_SUBMITTED protocol.submit.*.shop", "position PROTOCOL_REPLIES shop", "messages PROTOCOL_REPLIES protocol.reply.shop",
		"messages PROTOCOL_HTTP_shop protocol.http.shop.*.*", "position PROTOCOL_HTTP_shop webhook"},
	natsconfig.Ops: append(ofOperators(), "messages PROTOCOL_SUBMITTED protocol.forget", "messages PROTOCOL_WATCHES protocol.watch.>"),
	natsconfig.Console: append(ofOperators(), "messages PROTOCOL_WATCHES protocol.watch.>", "position PROTOCOL_WATCHES watches",
		"messages PROTOCOL_SUBMITTED protocol.submit.*.console", "position PROTOCOL_REPLIES console", "messages PROTOCOL_REPLIES protocol.reply.console",
		// Its own replies, in streams to which it may publish: the server stores a pulled
		// message there under the subject that it had.
		"messages PROTOCOL_FLEET protocol.reply.console", "messages PROTOCOL_SUBMITTED protocol.reply.console", "messages PROTOCOL_WATCHES protocol.reply.console",
		"messages PROTOCOL_FLEET protocol.watch.>", "messages PROTOCOL_SUBMITTED protocol.watch.>"),
}

func ofOperators() []string {
	return []string{"messages PROTOCOL_DEAD protocol.dead.*", "messages PROTOCOL_FLEET protocol.partner.*.halt", "messages - protocol.changed.*.halt",
		"messages PROTOCOL_FLEET protocol.intake", "messages PROTOCOL_SUBMITTED protocol.redrive.*"}
}

func ofAsker(name string) []string {
	return []string{"messages PROTOCOL_SUBMITTED protocol.submit.*." + name, "position PROTOCOL_REPLIES " + name, "position PROTOCOL_EVENTS " + name,
		"messages PROTOCOL_REPLIES protocol.reply." + name,   // what it has acknowledged is removed
		"messages PROTOCOL_SUBMITTED protocol.reply." + name} // it becomes a dead letter: worker's TestOwnRepliesSubmitted
}

func TestNobodyDoesAnythingElse(t *testing.T) {
	c := config(t)
	wide := widened(&c)
	c.Accounts[0].Users = append(c.Accounts[0].Users, natsconfig.User{Name: witnessUser, Inbox: "_INBOX_witness", Publish: []string{">"}})
	s := start(t, c)
	s.provisioned(t, c)
	w := newWitness(t, s, c)
	w.seed(t, names(t))
	s.echo(t, c)
	w.watch(t, messages.DefaultPrefix+".>", "$JS.EVENT.ADVISORY.>", "_INBOX_wk.>", "_INBOX_ops.>")
	fired := 0
	for _, name := range slices.Sorted(maps.Keys(purpose)) {
		does := purpose[name]
		t.Run(name, func(t *testing.T) {
			n, own, harm := s.attack(t, w, userOf(t, c, name), does)
			if own == 0 && len(does) > 0 {
				t.Errorf("%d messages did nothing at all, not even what they may", n)
			}
			if fired += n; len(harm) > 0 {
				t.Errorf("after %d messages %d things are other than before, among them\n%s", n, len(harm), strings.Join(w.shown(t, harm[:min(len(harm), 20)]), "\n"))
			}
		})
	}
	t.Logf("%d messages", fired)
	if fired < 20_000 {
		t.Errorf("only %d messages were sent", fired)
	}
	// With one import that is too wide, the same messages do harm: the test would have noticed.
	for _, one := range wide {
		t.Run("wide: "+one.right.Subject, func(t *testing.T) {
			_, _, harm := s.attack(t, w, one.user, ofAsker("refunds"))
			if !slices.ContainsFunc(harm, func(line string) bool { return strings.Contains(line, one.harm) }) {
				t.Errorf("no harm to %q, only\n%s", one.harm, strings.Join(harm, "\n"))
			}
		})
	}
}

// What deploy/nats/README.md says of the two users in the account of the streams: they can do
// everything, whatever rights are listed for them.
func TestTheFleetItselfHasEverything(t *testing.T) {
	c := config(t)
	c.Accounts[0].Users = append(c.Accounts[0].Users, natsconfig.User{Name: witnessUser, Inbox: "_INBOX_witness", Publish: []string{">"}})
	s := start(t, c)
	s.provisioned(t, c)
	w := newWitness(t, s, c)
	w.seed(t, names(t))
	provisioner, err := jetstream.New(s.connect(t, 0, userOf(t, c, natsconfig.Provisioner)))
	if err != nil {
		t.Fatal(err)
	}
	events, err := provisioner.Stream(t.Context(), names(t).Stream(messages.Events))
	if err != nil {
		t.Fatal(err)
	}
	smaller := events.CachedInfo().Config
	smaller.MaxAge, smaller.Duplicates = 100*time.Millisecond, 100*time.Millisecond
	if _, err := provisioner.UpdateStream(t.Context(), smaller); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an update empties a stream", func() bool {
		info, err := events.Info(t.Context())
		return err == nil && info.State.Msgs == 0
	})
	worker := s.connect(t, 0, userOf(t, c, natsconfig.Worker))
	submitted := "$JS.API.CONSUMER.MSG.NEXT." + names(t).Stream(messages.Submitted) + "." + messages.ConsumerSubmitted
	eventually(t, "a reply subject deletes a stream", func() bool {
		if err := worker.PublishRequest(submitted, "$JS.API.STREAM.DELETE."+names(t).Stream(messages.Replies), []byte(`{"batch":1,"no_wait":true}`)); err != nil {
			t.Fatal(err)
		}
		return !slices.Contains(w.names(t), names(t).Stream(messages.Replies))
	})
}

// tooWide is an asker with one import too many, and the harm that it does with it.
type tooWide struct {
	right natsconfig.Right
	named bool // it may also publish there itself, not only name it as a reply
	harm  string
	user  natsconfig.User
}

// widened adds askers like refunds to c, each with one more import.
func widened(c *natsconfig.Config) []tooWide {
	const fleet = "PROTOCOLQ"
	all := []tooWide{
		{right: natsconfig.Right{Account: fleet, Subject: "protocol.partner." + partner + ".rate"}, harm: "protocol.partner." + partner + ".rate"},
		{right: natsconfig.Right{Account: fleet, Subject: "protocol.submit.*.*"}, named: true, harm: "protocol.submit." + partner + ".other"},
		{right: natsconfig.Right{Account: fleet, Subject: "$JS.API.STREAM.DELETE.PROTOCOL_EVENTS"}, harm: "stream PROTOCOL_EVENTS is gone"},
	}
	for i := range all {
		for _, a := range c.Accounts {
			if a.Name != "PROTOCOLQ_ASKER_refunds" {
				continue
			}
			u := a.Users[0]
			u.Name = fmt.Sprintf("WIDE_%d", i)
			more := natsconfig.User{Name: u.Name + "_more", Inbox: u.Inbox, Rights: []natsconfig.Right{all[i].right}}
			if all[i].named {
				u.Rights = append(slices.Clone(u.Rights), all[i].right)
				more.Rights = nil
			}
			all[i].user = u
			c.Accounts = append(c.Accounts, natsconfig.Account{Name: u.Name, Users: []natsconfig.User{u, more}})
		}
	}
	return all
}

// echo answers all queries with their own bodies, on any reply subject that they name. It is a
// door that checks nothing.
func (s *cluster) echo(t *testing.T, c natsconfig.Config) {
	t.Helper()
	nc := s.connect(t, 1, userOf(t, c, natsconfig.Replies))
	for _, subject := range []string{names(t).Query(), names(t).QueryAll(), "$SRV.PING", "$SRV.PING.>", "$SRV.STATS", "$SRV.STATS.>", "$SRV.INFO", "$SRV.INFO.>"} {
		queue := ""
		if strings.HasPrefix(subject, messages.DefaultPrefix) {
			queue = messages.QueueGroup
		}
		if _, err := nc.QueueSubscribe(subject, queue, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// attack sends everything that a user may send, with each reply subject, through each server.
// It returns how many messages that were, how many of the user's own things they changed, and
// what else they changed.
func (s *cluster) attack(t *testing.T, w *witness, u natsconfig.User, does []string) (fired, own int, harm []string) {
	t.Helper()
	before := w.settled(t)
	w.take()
	for n := range s.servers { // a stream leader's answers take another path on its own server
		fired += fire(t, s.connect(t, n, u), u)
	}
	lines := before.changes(w.settled(t))
	for subject := range w.take() {
		if !strings.HasPrefix(subject, "$JS.EVENT.ADVISORY.API") {
			lines = append(lines, "messages - "+subject+" were seen")
		}
	}
	for _, line := range lines {
		if slices.ContainsFunc(does, func(d string) bool { return changes(d, line) }) {
			own++
		} else {
			harm = append(harm, line)
		}
	}
	return fired, own, harm
}

// changes reports whether a line is about what a user is there to change.
func changes(does, line string) bool {
	d, l := strings.Fields(does), strings.Fields(line)
	return d[0] == l[0] && (d[1] == l[1] || l[1] == "-") && covered(d[2], l[2])
}

// fire sends everything that a user may send, with each reply subject, and returns how many
// messages that were.
func fire(t *testing.T, nc *nats.Conn, u natsconfig.User) (fired int) {
	t.Helper()
	all := targets(t)
	send := func(subject, reply, body string) {
		if err := nc.PublishRequest(subject, reply, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if fired++; fired%200 == 0 { // the server would drop more at once
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, right := range u.MayPublish() {
		subject, body := concrete(right)
		for _, target := range all {
			send(subject, target, body)
			if covered(right, target) && right != target {
				_, body := concrete(target)
				send(target, u.Inbox+".x", body)
			}
		}
		for _, h := range hostile(t) {
			if err := nc.PublishMsg(&nats.Msg{Subject: subject, Reply: u.Inbox + ".x", Data: []byte(body), Header: h}); err != nil {
				t.Fatal(err)
			}
			fired++
		}
	}
	if err := nc.FlushTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	return fired
}

// next asks for a message without waiting for one. A request that waits would be answered in
// another user's turn.
const next = `{"batch":1,"no_wait":true}`

// concrete returns one subject that a user's right covers, and a body that the server accepts
// there.
func concrete(right string) (subject, body string) {
	switch {
	case strings.HasPrefix(right, "$JS.ACK."):
		return strings.TrimSuffix(right, ">") + "1.99999.99999.1795922000000000000.0", "+NXT " + next
	case strings.Contains(right, ".MSG.NEXT."):
		return right, next
	case strings.Contains(right, ".DIRECT.GET."):
		body = `{"seq":1}`
	case strings.Contains(right, ".MSG.DELETE."):
		body = `{"seq":99999}`
	}
	subject = strings.NewReplacer("*", "x", ">", "x").Replace(right)
	return subject, body
}

// hostile returns headers that make the server do more than pass a message on, or do it for
// others.
func hostile(t *testing.T) (all []nats.Header) {
	t.Helper()
	halt := names(t).Partner(partner, "halt")
	for _, h := range []string{
		"Nats-Trace-Dest: " + halt, "Nats-Rollup: all", "Nats-Rollup: sub", "Nats-TTL: 1s", "Nats-Expected-Last-Sequence: 0",
		"Nats-Schedule: @at 2020-01-01T00:00:00Z, Nats-Schedule-Target: " + halt, "Nats-Batch-Id: b, Nats-Batch-Sequence: 1, Nats-Batch-Commit: 1",
		`Nats-Request-Info: {"acc":"PROTOCOLQ"; "svc":"PROTOCOLQ"}`, "Nats-Marker-Reason: Purge", "Nats-Stream-Source: PROTOCOL_JOURNAL 1 1 > >", "Nats-Incr: +1", "KV-Operation: PURGE",
	} {
		header := nats.Header{}
		for field := range strings.SplitSeq(h, ", ") {
			name, value, _ := strings.Cut(field, ": ")
			header[name] = []string{strings.ReplaceAll(value, ";", ",")}
		}
		all = append(all, header)
	}
	return all
}

// targets returns all subjects that a reply must not reach.
func targets(t *testing.T) (all []string) {
	t.Helper()
	n := names(t)
	consumers := map[messages.Kind][]string{messages.Submitted: {messages.ConsumerSubmitted}, messages.Log: {messages.ConsumerRecorder},
		messages.Replies: {"refunds", "deduction", "console"}, messages.Events: {"accounting"}, messages.Watches: {messages.ConsumerWatches}}
	for _, k := range append(messages.Kinds(), messages.Watches) {
		stream := n.Stream(k)
		for _, verb := range []string{"STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE", "STREAM.CREATE", "STREAM.MSG.DELETE", "STREAM.RESTORE", "STREAM.SNAPSHOT",
			"STREAM.LEADER.STEPDOWN", "STREAM.PEER.REMOVE", "CONSUMER.CREATE"} {
			all = append(all, "$JS.API."+verb+"."+stream)
		}
		all = append(all, "$JS.API.CONSUMER.CREATE."+stream+".spy", "$JS.API.CONSUMER.DURABLE.CREATE."+stream+".spy")
		for _, c := range consumers[k] {
			for _, verb := range []string{"DELETE", "PAUSE", "LEADER.STEPDOWN", "UNPIN", "RESET", "MSG.NEXT", "CREATE"} {
				all = append(all, "$JS.API.CONSUMER."+verb+"."+stream+"."+c)
			}
			all = append(all, "$JS.ACK."+stream+"."+c+".1.1.1.1795922000000000000.0")
		}
	}
	for _, verb := range []string{"DELETE", "PURGE", "UPDATE", "MSG.DELETE", "MSG.GET"} {
		all = append(all, "$JS.API.STREAM."+verb+"."+n.StreamHTTP("shop"))
	}
	all = append(all, n.HTTP("shop", messages.HTTPAnswer, "x"), n.ReplyOf("shop"), "$JS.API.STREAM.DELETE.SPY", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE", "$JS.API.ACCOUNT.PURGE.PROTOCOLQ",
		n.Journal()+"m1", n.Followed()+"m1", n.Member("m1"), n.Ping("m1"), n.Forget(), n.Redrive(partner), n.Partner(partner, "halt"), n.Partner(partner, "rate"),
		n.Changed(partner+".halt"), n.Intake(), n.ReplyOf("deduction"), n.ReplyOf("other"), n.ReplyOf("console"), n.Watch(messages.WatchKept, "o", "w"), n.Watch(messages.WatchDue, "o", "w"), n.Event(partner, messages.Signed), n.LogRun(), n.LogAsk(),
		n.Dead(messages.DeadPoison), n.SubmitOf(partner, "other"), n.SubmitOf(partner, "refunds"), n.SubmitOf(partner, "console"), n.QueryOf(partner)+".other", messages.WorkerInbox+".x", messages.WorkerReplyInbox+".x", "_INBOX_ops.x",
		"_INBOX_witness.x")
	return all
}
