// Rights: what the user of a process must be able to do, and what it must not.

package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
)

// way is how to try a right.
type way int

const (
	// store publishes a message that a stream refuses, because it expects a stream of another name.
	store way = iota
	// ask makes a JetStream request without meaning, so that it has no effect.
	ask
	// send publishes on a subject without a subscriber.
	send
	// listen subscribes, and ends that at once; listenQueue does so in the workers' queue group.
	listen
	listenQueue
)

// right is one thing that a user may or may not do.
type right struct {
	way     way
	subject string
}

// Two things keep a JetStream request from having an effect, even if the user has the right. Its
// body begins like JSON but is not JSON (STREAM.PURGE and MSG.NEXT ignore a body that does not
// begin like JSON, and would act). And it requires a server of an API level that will never exist.
const (
	nonsense      = "{protocolq doctor}"
	levelHeader   = "Nats-Required-Api-Level"
	levelTooHigh  = "2147483647"
	streamOfNoOne = "PROTOCOLQ_DOCTOR"
)

// try reports whether the server allows this user the right. It changes nothing, even if so.
func (r right) try(ctx context.Context, nc *nats.Conn) (bool, error) {
	m := &nats.Msg{Subject: r.subject, Data: []byte(nonsense)}
	switch r.way {
	case store:
		m.Header = nats.Header{nats.ExpectedStreamHdr: []string{streamOfNoOne}}
	case ask:
		m.Reply, m.Header = nc.NewInbox(), nats.Header{levelHeader: []string{levelTooHigh}}
	case listen, listenQueue:
		queue := ""
		if r.way == listenQueue {
			queue = messages.QueueGroup
		}
		sub, err := nc.QueueSubscribe(r.subject, queue, func(*nats.Msg) {})
		if err != nil {
			return false, err
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	if r.way < listen {
		if err := nc.PublishMsg(m); err != nil {
			return false, err
		}
	}
	within, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := nc.FlushWithContext(within); err != nil {
		return false, err
	}
	word := natsconn.Forbade(nc)
	return word == nil || !strings.Contains(word.Error(), fmt.Sprintf("%q", r.subject)), nil
}

// tried lists the rights that the user has, or lacks.
func tried(ctx context.Context, nc *nats.Conn, rights []right, has bool) (list []string, err error) {
	for _, r := range rights {
		may, err := r.try(ctx, nc)
		if err != nil {
			return list, err
		}
		if may == has {
			list = append(list, r.String())
		}
	}
	return list, nil
}

func (r right) String() string {
	if r.way >= listen {
		return "subscribe " + r.subject
	}
	return "publish " + r.subject
}

// fleet has the subjects of a fleet and of its streams, for one of its users.
type fleet struct {
	messages.Names
	api   string // prefix of JetStream requests
	inbox string // prefix
	// scheduled says that the servers have message schedules, which the page's watches need.
	scheduled bool
}

// needed are the rights of a worker's main user, of a recorder's, of an HTTP door's, or of the
// page's.
func needed(o *Options, n fleet) []right {
	log := n.Stream(messages.Log)
	switch o.Role {
	case forHTTP:
		return ofHTTP(o, n)
	case forConsole:
		return ofConsole(o, n)
	case forRecorder:
		return append(ofAlerts(o, n), []right{{ask, n.api + "CONSUMER.INFO." + log + "." + messages.ConsumerRecorder},
			{ask, n.api + "CONSUMER.MSG.NEXT." + log + "." + messages.ConsumerRecorder},
			{ask, n.api + "STREAM.INFO." + log}, {listen, n.inbox + ".>"}}...)
	}
	journal, submitted := n.Stream(messages.Journal), n.Stream(messages.Submitted)
	list := []right{
		{store, n.Journal() + "doctor"}, {store, n.Partner("0", "doctor")}, {store,
			n.Event("0", messages.Signed)}, {store, n.LogRun()}, {store, n.LogAsk()}, {store, n.Dead("doctor")},
		{send, n.Ping("doctor")}, {send, messages.WorkerInbox + ".doctor"},
		{ask, n.api + "STREAM.MSG.GET." + journal}, {ask, n.api + "DIRECT.GET." + journal}, {ask,
			n.api + "STREAM.PURGE." + journal},
		{ask, n.api + "DIRECT.GET." + n.Stream(messages.Fleet) + "." + n.Intake()},
		{ask, n.api + "CONSUMER.INFO." + submitted + "." + messages.ConsumerSubmitted}, {ask,
			n.api + "CONSUMER.MSG.NEXT." + submitted + "." + messages.ConsumerSubmitted},
		{listen, n.Followed() + "*"}, {listen, n.Members()}, {listen, n.Changed("*.*")}, {listen, n.inbox + ".>"},
	}
	for _, k := range []messages.Kind{messages.Journal, messages.Submitted, messages.Replies, messages.Log,
		messages.Dead} {
		list = append(list, right{ask, n.api + "STREAM.INFO." + n.Stream(k)})
	}
	return list
}

// ofAlerts are the rights that a recorder needs for its alerts: the state of the workers, how full
// streams are, and the record that decides which recorder sends.
func ofAlerts(o *Options, n fleet) []right {
	if o.Config.AlertWebhookFile == "" {
		return nil
	}
	list := []right{{ask, "$SRV.STATS." + messages.ServiceName}, {store, n.Alerts()},
		{ask, n.api + "DIRECT.GET." + n.Stream(messages.Fleet) + "." + n.Alerts()}}
	for _, k := range []messages.Kind{messages.Submitted, messages.Replies, messages.Dead} {
		list = append(list, right{ask, n.api + "STREAM.INFO." + n.Stream(k)})
	}
	return list
}

// ofHTTP are the rights that an HTTP door needs for its askers. The right to ask is not tried,
// because a worker would have to answer.
func ofHTTP(o *Options, n fleet) []right {
	list := []right{{listen, n.inbox + ".>"}}
	for _, a := range o.Askers {
		for _, p := range a.Partners {
			list = append(list, right{store, n.SubmitOf(p, a.Name)})
		}
		kept := n.StreamHTTP(a.Name)
		for _, which := range []string{n.Stream(messages.Replies) + "." + a.Name,
			kept + "." + messages.ConsumerWebhook} {
			list = append(list, right{ask, n.api + "CONSUMER.INFO." + which},
				right{ask, n.api + "CONSUMER.MSG.NEXT." + which})
		}
		for _, what := range []string{messages.HTTPAsked, messages.HTTPAnswer, messages.HTTPBatch,
			messages.HTTPUndelivered} {
			list = append(list, right{store, n.HTTP(a.Name, what, "doctor")})
		}
		list = append(list, right{ask, n.api + "DIRECT.GET." + kept})
	}
	return list
}

// excess are rights that a worker's main user, a recorder's, an HTTP door's or the page's may not
// have.
func excess(role string, n fleet) []right {
	journal, submitted := n.Stream(messages.Journal), n.Stream(messages.Submitted)
	list := []right{
		{ask, n.api + "STREAM.DELETE." + journal}, {ask, n.api + "STREAM.UPDATE." + journal}, {ask,
			n.api + "STREAM.MSG.DELETE." + journal},
		{ask, n.api + "STREAM.PURGE." + submitted}, {ask, n.api + "STREAM.PURGE." + n.Stream(messages.Log)},
		{ask, n.api + "CONSUMER.DELETE." + submitted + "." + messages.ConsumerSubmitted}, {ask,
			n.api + "CONSUMER.CREATE." + submitted + ".doctor"},
		{store, n.Redrive("0")}, {store, n.Forget()}, {store, n.Intake()}, {store, n.ReplyOf("doctor")},
		{send, "_INBOX.doctor"}, {send, "_R_.doctor"}, {listen, ">"}, {listen, "_INBOX.>"}, {listen, n.Reply() + ">"},
	}
	if role != forWorker {
		list = append(list, right{store, n.Journal() + "doctor"}, right{ask, n.api + "STREAM.PURGE." + journal},
			right{listen, n.Followed() + "*"})
	}
	if role == forConsole {
		return beyondConsole(list, n)
	}
	return list
}

const rightsCure = "give each part its own user, with the rights of deploy/nats/users.conf and no others"

func (b *bench) checkNeeded(ctx context.Context) Check {
	return checkRights(ctx, b.nc, "nats.rights", needed(b.o, b.names))
}

func checkRights(ctx context.Context, nc *nats.Conn, name string, rights []right) Check {
	missing, err := tried(ctx, nc, rights, false)
	switch {
	case err != nil:
		return fault(name, "not tried: "+err.Error(), connectHint)
	case len(missing) > 0:
		return fault(name, "this user may not "+strings.Join(missing, ", "), rightsCure)
	}
	return well(name, "all %d that are needed", len(rights))
}

// checkExcess tries what an attacker with this user's credentials would do, in a form without
// effect.
func (b *bench) checkExcess(ctx context.Context) []Check {
	return []Check{checkAttacks(ctx, b.nc, "nats.excess", excess(b.o.Role, b.names), b.o.Config.NATS)}
}

func checkAttacks(ctx context.Context, nc *nats.Conn, name string, attacks []right, servers []string) Check {
	worked, err := tried(ctx, nc, attacks, true)
	switch {
	case err != nil:
		return fault(name, "not tried: "+err.Error(), connectHint)
	case len(worked) == 0:
		return well(name, "none of %d attacks works", len(attacks))
	}
	detail := fmt.Sprintf("%d of %d attacks work: this user may %s", len(worked), len(attacks),
		strings.Join(worked, ", "))
	if onlyHere(servers) && len(worked) == len(attacks) {
		return skipped(name, "NATS knows no users, and is reached on this machine alone: "+detail)
	}
	return fault(name, detail, rightsCure)
}

// checkReplies does the same for the connection that replies.
func (b *bench) checkReplies(ctx context.Context) []Check {
	c := b.o.Config
	if b.o.Role != forWorker {
		return nil
	}
	if c.NATSReplyCreds == "" {
		if c.NATSCreds == "" {
			return []Check{skipped("nats.replies",
				"no credentials: replies leave by a connection with the rights of everybody")}
		}
		return []Check{fault("nats.replies", "replies leave with the rights of the main connection",
			"set nats-reply-creds to a user that may publish replies only (REPLIES in deploy/nats/users.conf)")}
	}
	how := natsconn.For(c, "doctor", c.NATSReplyCreds)
	how.Inbox = messages.WorkerReplyInbox
	nc, err := natsconn.Connect(how)
	if err != nil {
		return []Check{fault("nats.replies", err.Error(), connectHint)}
	}
	defer nc.Close()
	n := b.names
	// No query names this partner, so the queue group loses none to this subscription.
	must := []right{{listenQueue, n.QueryOf("doctor")}, {listen, "$SRV.PING"}, {listen, "$SRV.STATS.>"},
		{listen, messages.WorkerReplyInbox + ".>"},
		{send, "_R_.doctor"}, {store, n.ReplyOf("doctor")}}
	mustNot := []right{{store, n.Journal() + "doctor"}, {store, n.Submit()}, {store, n.Forget()},
		{store, n.Dead("doctor")}, {send, n.Ping("doctor")}, {send, messages.WorkerInbox + ".doctor"},
		{ask, n.api + "STREAM.DELETE." + n.Stream(messages.Journal)}, {ask,
			n.api + "STREAM.PURGE." + n.Stream(messages.Journal)},
		{listen, n.Followed() + "*"}, {listen, n.Reply() + ">"}, {listen, ">"}}
	return []Check{checkRights(ctx, nc, "nats.replies", must),
		checkAttacks(ctx, nc, "nats.replies.excess", mustNot, c.NATS)}
}
