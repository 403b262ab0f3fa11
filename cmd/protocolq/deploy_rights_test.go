//go:build unix

// The rights of the users in deploy/nats/users.conf, on three servers. Each user may do
// everything that its part of the system does, through the packages that do it, and nothing
// else.

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/intake"
	"protocolq/worker/journal"
	"protocolq/worker/partner"
	"protocolq/worker/provision"
	"protocolq/worker/publish"
	sharedrecord "protocolq/worker/record"
)

func TestDeployedRights(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.takeOver(t)
	d.writeLog(t)
	d.shareHalts(t)
	d.pause(t)
	d.takeSubmitted(t)
	d.watch(t)
	d.serveQueries(t)
	if refused := d.violations(); len(refused) > 0 {
		t.Errorf("the servers refused what is needed:\n%s", strings.Join(refused, ""))
	}
	d.refuses(t)
}

// publishAll publishes to the streams of these subjects. It retries, as a server may learn late
// of a new stream.
func publishAll(t *testing.T, nc *nats.Conn, subjects ...string) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range subjects {
		if _, err := js.Publish(t.Context(), subject, []byte("x"), jetstream.WithRetryAttempts(40)); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
}

// takeOver provisions where an earlier version has left a halt, which must be carried over.
func (d *deployed) takeOver(t *testing.T) {
	t.Helper()
	js, err := jetstream.New(d.connect(t, natsconfig.Provisioner))
	if err != nil {
		t.Fatal(err)
	}
	o := provision.Options{Names: defaultNames(t), Replicas: 3, Update: true}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PROTOCOL_PARTNERS", Subjects: []string{"protocol.partner.*.*"}, Replicas: 3, MaxMsgsPerSubject: 1}); err != nil {
		t.Fatal(err)
	}
	publishAll(t, d.connect(t, natsconfig.Ops), "protocol.partner."+practicePartner+".halt")
	r, err := provision.Apply(t.Context(), js, o)
	if err != nil || !slices.ContainsFunc(r.Items, func(i provision.Item) bool { return i.Action == provision.Carried }) {
		t.Fatalf("%+v, %v", r, err)
	}
}

// writeLog does everything with the journal that a worker does.
func (d *deployed) writeLog(t *testing.T) {
	t.Helper()
	nc, names := d.connect(t, natsconfig.Worker), defaultNames(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second) // the server does not reply to what it forbids
	defer cancel()
	log := journal.NewJetStream(journal.JetStreamOptions{Conn: nc, Publisher: publish.New(nc), Stream: names.Stream(messages.Journal), Journal: names.Journal(), Followed: names.Followed()})
	followed := make(chan journal.Message, 2)
	stop, err := log.Follow(func(m journal.Message) { followed <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	first, err := log.Append(ctx, journal.Append{Member: "m1", Data: []byte("one")})
	if err == nil {
		_, err = log.Append(ctx, journal.Append{Member: "m1", Data: []byte("two"), Expect: first})
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-followed:
		case <-time.After(2 * time.Minute):
			t.Fatal("a batch is not followed")
		}
	}
	last, err := log.Last(ctx, "m1")
	if err != nil || string(last.Data) != "two" {
		t.Errorf("the last batch is %q, %v", last.Data, err)
	}
	_, limitErr := log.Limit(ctx)
	_, stateErr := log.State(ctx)
	_, getErr := log.Get(ctx, first)
	_, nextErr := log.Next(ctx, 1)
	if err := errors.Join(limitErr, stateErr, getErr, nextErr, log.Purge(ctx, last.Position)); err != nil {
		t.Error(err)
	}
	d.ping(t, nc, names)
	publishAll(t, nc, names.Event(practicePartner, messages.Signed), names.LogRun(), names.LogAsk(), names.Dead(messages.DeadPoison))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []messages.Kind{messages.Replies, messages.Log, messages.Dead} {
		if _, err := js.Stream(ctx, names.Stream(k)); err != nil {
			t.Errorf("how full %s is: %v", k, err)
		}
	}
}

// ping gets a reply from a living member, and from the server where there is no such member.
func (d *deployed) ping(t *testing.T, nc *nats.Conn, names messages.Names) {
	t.Helper()
	other := d.connect(t, natsconfig.Worker)
	beats, err := other.SubscribeSync(names.Members())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Subscribe(names.Ping("m2"), func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
		t.Fatal(err)
	}
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	clitest.Eventually(t, "the beat", func() bool { // repeated, as another server may not know the subscription yet
		if err := nc.Publish(names.Member("m1"), nil); err != nil {
			t.Fatal(err)
		}
		m, err := beats.NextMsg(time.Second)
		return err == nil && m.Subject == names.Member("m1")
	})
	if _, err := nc.Request(names.Ping("m2"), nil, time.Minute); err != nil {
		t.Errorf("a living member: %v", err)
	}
	if _, err := nc.Request(names.Ping("m3"), nil, time.Minute); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a dead member: %v", err)
	}
}

// shareHalts halts a partner as an operator. A worker is notified of the halt, reads it and
// ends it.
func (d *deployed) shareHalts(t *testing.T) {
	t.Helper()
	names := defaultNames(t)
	of := func(nc *nats.Conn) *sharedrecord.Stream { return worker.PartnerRecords(nc, publish.New(nc), names) }
	member, ops := d.connect(t, natsconfig.Worker), d.connect(t, natsconfig.Ops)
	heard := make(chan string, 1)
	stop, err := of(member).Watch("*.halt", func(r sharedrecord.Record, _ error) { heard <- r.Name })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	const other = "2088000000000002"
	if err := errors.Join(member.Flush(), partner.WriteHalt(t.Context(), of(ops), other, partner.Halt{Halted: true})); err != nil {
		t.Fatal(err)
	}
	select {
	case name := <-heard:
		if name != other+".halt" {
			t.Errorf("heard of %s", name)
		}
	case <-time.After(2 * time.Minute):
		t.Error("no worker hears of the halt")
	}
	if err := partner.WriteHalt(t.Context(), of(member), other, partner.Halt{}); err != nil {
		t.Error(err)
	}
	js, err := jetstream.New(ops)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Stream(t.Context(), names.Stream(messages.Fleet)); err != nil { // as partner list does
		t.Error(err)
	}
}

// pause pauses the intake as an operator, and reads the pause as a worker.
func (d *deployed) pause(t *testing.T) {
	t.Helper()
	of := func(nc *nats.Conn) *sharedrecord.Stream {
		return worker.IntakeRecords(nc, publish.New(nc), defaultNames(t))
	}
	ops, reader := of(d.connect(t, natsconfig.Ops)), of(d.connect(t, natsconfig.Worker))
	for range 2 {
		if err := intake.WritePause(t.Context(), ops, intake.Pause{Paused: true}); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(2 * time.Minute); ; <-time.After(10 * time.Millisecond) { // a replica may be behind
		p, err := intake.ReadPause(t.Context(), reader)
		if err == nil && p.Paused {
			return
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("no worker reads of the pause: %+v, %v", p, err)
		}
	}
}

// takeSubmitted takes what an asker submits and what operators publish.
func (d *deployed) takeSubmitted(t *testing.T) {
	t.Helper()
	names := defaultNames(t)
	publishAll(t, d.connect(t, deployedAsker), names.Submit(), names.SubmitOf(practicePartner, "refunds"))
	ops := d.connect(t, natsconfig.Ops)
	publishAll(t, ops, names.Redrive(practicePartner), names.Forget())
	js, err := jetstream.New(d.connect(t, natsconfig.Worker))
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), names.Stream(messages.Submitted), messages.ConsumerSubmitted)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		m, err := c.Next(jetstream.FetchMaxWait(20 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// serveQueries replies to an asker's inbox and below the subject of durable replies.
func (d *deployed) serveQueries(t *testing.T) {
	t.Helper()
	names, replies := defaultNames(t), d.connect(t, natsconfig.Replies)
	for _, subject := range []string{names.Query(), names.QueryAll()} {
		if _, err := replies.QueueSubscribe(subject, messages.QueueGroup, func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := replies.Flush(); err != nil {
		t.Fatal(err)
	}
	asker := d.connect(t, deployedAsker)
	for _, subject := range []string{names.Query(), names.QueryOf(practicePartner), names.QueryOf(practicePartner) + ".refunds"} {
		clitest.Eventually(t, "an answer on "+subject, func() bool {
			_, err := asker.Request(subject, nil, 20*time.Second)
			return !errors.Is(err, nats.ErrNoResponders) // the asker's server may not know the subscription yet
		})
	}
	publishAll(t, replies, names.ReplyOf("asker"))
}

// refuses tries as each user what that user must not do.
func (d *deployed) refuses(t *testing.T) {
	t.Helper()
	const steal, purge, spoil = "$JS.API.STREAM.DELETE.PROTOCOL_JOURNAL", "$JS.API.STREAM.PURGE.PROTOCOL_JOURNAL", "protocol.journal.m1"
	internal := []string{steal, spoil, "protocol.member.m1", "protocol.followed.m1", "protocol.changed.x.halt", "$JS.ACK.PROTOCOL_SUBMITTED.submitted.1.1.1.1.1"}
	for user, publish := range map[string][]string{
		deployedAsker: append(slices.Clone(internal), purge, "protocol.redrive."+practicePartner, "protocol.forget", "protocol.intake", "protocol.alerts", "protocol.partner.x.halt", "protocol.reply.other",
			"_INBOX.other", "$JS.API.CONSUMER.CREATE.PROTOCOL_REPLIES.spy", "$JS.API.DIRECT.GET.PROTOCOL_JOURNAL", "$JS.API.STREAM.MSG.GET.PROTOCOL_JOURNAL"),
		natsconfig.Replies: append(slices.Clone(internal), purge, "protocol.query", "protocol.submit", "_INBOX_wk.other"),
		natsconfig.Worker: {steal, "$JS.API.STREAM.UPDATE.PROTOCOL_JOURNAL", "$JS.API.STREAM.PURGE.PROTOCOL_SUBMITTED", "$JS.API.STREAM.PURGE.PROTOCOL_LOG", "$JS.API.STREAM.MSG.DELETE.PROTOCOL_JOURNAL",
			"$JS.API.CONSUMER.CREATE.PROTOCOL_SUBMITTED.spy", "_INBOX.other", "protocol.reply.other", "protocol.redrive.x", "protocol.forget", "protocol.intake", "protocol.changed.x.halt", "protocol.followed.m1"},
		natsconfig.Provisioner: append(slices.Clone(internal), purge, "protocol.query", "protocol.intake", "protocol.partner.x.rate"),
		natsconfig.Recorder:    append(slices.Clone(internal), purge, "protocol.log.run", "$JS.API.CONSUMER.MSG.NEXT.PROTOCOL_SUBMITTED.submitted"),
		natsconfig.Ops: append(slices.Clone(internal), purge, "protocol.reply.other", "protocol.submit", "$JS.API.STREAM.MSG.DELETE.PROTOCOL_JOURNAL",
			"$JS.API.DIRECT.GET.PROTOCOL_JOURNAL", "$JS.API.CONSUMER.CREATE.PROTOCOL_REPLIES.spy"),
		natsconfig.Console: append(slices.Clone(internal), purge, "protocol.reply.other", "protocol.reply.console", "protocol.submit."+practicePartner+".refunds", "protocol.watch.due.o.w", "protocol.forget", "protocol.query."+practicePartner+".refunds",
			"$JS.API.STREAM.MSG.DELETE.PROTOCOL_WATCHES", "$JS.API.CONSUMER.CREATE.PROTOCOL_WATCHES.spy",
			"$JS.API.STREAM.MSG.DELETE.PROTOCOL_JOURNAL", "$JS.API.DIRECT.GET.PROTOCOL_JOURNAL", "$JS.API.CONSUMER.CREATE.PROTOCOL_REPLIES.spy", "$JS.API.CONSUMER.MSG.NEXT.PROTOCOL_LOG.recorder"),
	} {
		d.mayNotPublish(t, user, publish)
	}
	for user, subjects := range map[string][]string{
		deployedAsker:      {"protocol.query", "protocol.followed.*", "protocol.journal.*", "protocol.member.>", "protocol.changed.>", "protocol.reply.>", "protocol.event.>", "$JS.>", ">"},
		natsconfig.Ops:     {"protocol.followed.*", "protocol.journal.*", "protocol.submit", ">"},
		natsconfig.Replies: {"protocol.followed.*", "protocol.submit", "_INBOX.>"},
	} {
		nc := d.connect(t, user)
		for _, subject := range subjects {
			_, err := nc.SubscribeSync(subject)
			d.refused(t, nc, user+" may subscribe "+subject, subject, err)
		}
	}
}

const practicePartner = "2088000000000001"

func defaultNames(t *testing.T) messages.Names {
	t.Helper()
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
