// The one table of which user may do what.

package natsconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"protocolq/messages"
)

// Options say which users' rights are written.
type Options struct {
	Prefix    string   // "protocol": as the workers have it
	Account   string   // "PROTOCOLQ": of the streams; the others' names begin with it
	Partners  []string // needed: those that askers may ask for, the first by the plain subjects
	Askers    []string // names of programs that ask
	HTTP      []string // names of askers of the HTTP door, whose user asks for all of them
	Listeners []string // names of programs that only read events
	Events    bool     // askers also read events
	Backup    bool     // there is a user that backs up streams, and restores them
}

// How long the server keeps the way back for a response. An asker waits for an hour at most (the
// setting ask-patience); a longer pull has heartbeats, which count as responses.
const (
	longestAwait = "65m"
	longestPull  = "5m"
)

// Names of users that are not askers or listeners.
const (
	Provisioner = "PROVISIONER"
	Worker      = "WORKER"
	Replies     = "REPLIES"
	Recorder    = "RECORDER"
	Ops         = "OPS"
	Monitor     = "MONITOR"
	HTTPDoor    = "HTTP_DOOR"
	Console     = "CONSOLE"
	Backup      = "BACKUP"
)

// backupInbox is the inbox prefix of the backup user, whose account is the fleet's own.
const backupInbox = "_INBOX_backup"

// Asker and Listener are the names of a party's user.
func Asker(name string) string { return "ASKER_" + name }

// Listener is the name of a listener's user.
func Listener(name string) string { return "LISTENER_" + name }

// Check says everything that is wrong with o.
func (o *Options) Check() error {
	var faults []error
	if _, err := messages.NewNames(o.Prefix); err != nil {
		faults = append(faults, fmt.Errorf("--prefix: %w", err))
	}
	if !messages.IsToken(o.Account) {
		faults = append(faults, fmt.Errorf("--account %q: use letters, digits, - and _", o.Account))
	}
	if len(o.Partners) == 0 {
		faults = append(faults, errors.New("--partner is needed: each partner that askers ask for"))
	}
	for _, p := range o.Partners {
		if !messages.IsToken(p) {
			faults = append(faults, fmt.Errorf("--partner %q: want 2088 and 12 digits", p))
		}
	}
	known := map[string]bool{}
	for _, name := range slices.Concat(o.Askers, o.HTTP, o.Listeners) {
		lower := strings.ToLower(name) // two files differ by more than their case
		switch {
		case !messages.IsToken(name) || len(name) > mostName:
			faults = append(faults, fmt.Errorf("name %q: use letters, digits, - and _, at most %d", name, mostName))
		case known[lower]:
			faults = append(faults, fmt.Errorf("name %q is given twice", name))
		case messages.IsFleets(name) || inboxOf(name) == messages.HTTPInbox ||
			slices.Contains(messages.OwnInboxes(), inboxOf(name)):
			faults = append(faults, fmt.Errorf("name %q is the fleet's own; give another", name))
		}
		known[lower] = true
	}
	return errors.Join(faults...)
}

const mostName = 64

// inboxOf is the inbox prefix of an asker or a listener.
func inboxOf(name string) string { return "_INBOX_" + name }

// table makes the rights of one fleet.
type table struct {
	messages.Names
	o            Options
	fleet, doors string // the accounts that export to others
}

// New gives the accounts of a fleet and of the programs that use it.
func New(o Options) (Config, error) {
	if err := o.Check(); err != nil {
		return Config{}, err
	}
	names, err := messages.NewNames(o.Prefix)
	if err != nil {
		return Config{}, err
	}
	t := table{Names: names, o: o, fleet: o.Account, doors: o.Account + "_DOORS"}
	c := Config{Accounts: []Account{
		{Name: t.fleet, JetStream: true, Users: []User{t.provisioner(), t.worker()}},
		{Name: t.doors, Users: []User{t.replies()}},
	}}
	if o.Backup {
		c.Accounts[0].Users = append(c.Accounts[0].Users, t.backup())
	}
	alone := func(users ...User) {
		for _, u := range users {
			// In an account without JetStream, the server's own $JS.API.> answers that there is no
			// JetStream, unless the account has this import.
			u.uses(t.fleet, Ask, "$JS.API.INFO")
			c.Accounts = append(c.Accounts, Account{Name: o.Account + "_" + u.Name, Users: []User{u}})
		}
	}
	alone(t.recorder(), t.ops(), t.monitor(), t.console())
	if len(o.HTTP) > 0 {
		alone(t.http())
	}
	for _, name := range o.Askers {
		alone(t.asker(name))
	}
	for _, name := range o.Listeners {
		alone(t.listener(name))
	}
	return c, nil
}

// uses adds subjects of another account.
func (u *User) uses(account string, use Use, subjects ...string) {
	for _, s := range subjects {
		u.Rights = append(u.Rights, Right{Account: account, Subject: s, Use: use})
	}
}

// reads adds exactly what reading its own consumer needs.
func (t *table) reads(u *User, k messages.Kind, consumer string) { t.readsOf(u, t.Stream(k), consumer) }

func (t *table) readsOf(u *User, stream, consumer string) {
	which := stream + "." + consumer
	u.uses(t.fleet, Ask, "$JS.API.CONSUMER.INFO."+which)
	u.uses(t.fleet, Pull, "$JS.API.CONSUMER.MSG.NEXT."+which)
	u.uses(t.fleet, Ask, "$JS.ACK."+which+".>")
}

func (t *table) provisioner() User {
	u := User{Name: Provisioner, Inbox: messages.ProvisionerInbox,
		Says: "Makes and changes the streams (protocolq provision): by a change it can empty any of them."}
	u.Publish = []string{
		"$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.CREATE.*", "$JS.API.STREAM.UPDATE.*",
		"$JS.API.CONSUMER.INFO.*.*", "$JS.API.CONSUMER.CREATE.>",
		// Halts of partners are carried over from the stream of an earlier version.
		"$JS.API.STREAM.MSG.GET." + t.Stream("PARTNERS"), t.Partner("*", "halt"),
	}
	return u
}

// backup is in the account of the streams: the server sends a copy to any subject of that account
// that its request names. The copy gets into another account only if that imports the subject: a
// copy sent to the subject of an event reaches the listeners of events.
func (t *table) backup() User {
	u := User{Name: Backup, Inbox: backupInbox,
		Says: "nats stream backup and restore: reads every stream as a whole, and makes one that is not there."}
	var streams []string
	for _, k := range append(messages.Kinds(), messages.Watches) {
		streams = append(streams, t.Stream(k))
	}
	for _, name := range t.o.HTTP {
		streams = append(streams, t.StreamHTTP(name))
	}
	for _, s := range streams {
		u.Publish = append(u.Publish,
			"$JS.API.STREAM.INFO."+s, "$JS.API.STREAM.SNAPSHOT."+s, "$JS.SNAPSHOT.ACK."+s+".*",
			"$JS.API.STREAM.RESTORE."+s, "$JS.SNAPSHOT.RESTORE."+s+".*")
	}
	return u
}

func (t *table) worker() User {
	u := User{Name: Worker, Inbox: messages.WorkerInbox,
		Says: "protocolq worker --nats-creds. Whoever has this key has all that the fleet has."}
	journal, fleet := t.Stream(messages.Journal), t.Stream(messages.Fleet)
	submitted := t.Stream(messages.Submitted) + "." + messages.ConsumerSubmitted
	u.Publish = []string{
		t.Journal() + "*", t.Member(">"), t.Partner("*", "*"), u.Inbox + ".>", // pings are answered there
		t.Event("*", "*"), t.Prefix() + ".log.*", t.Dead("*"),
		"$JS.API.STREAM.INFO." + journal, "$JS.API.STREAM.MSG.GET." + journal,
		"$JS.API.DIRECT.GET." + journal, "$JS.API.STREAM.PURGE." + journal,
		"$JS.API.DIRECT.GET." + fleet + "." + t.Partner("*", "*"), "$JS.API.DIRECT.GET." + fleet + "." + t.Intake(),
		"$JS.API.CONSUMER.INFO." + submitted, "$JS.API.CONSUMER.MSG.NEXT." + submitted, "$JS.ACK." + submitted + ".>",
	}
	// how full those are
	for _, k := range []messages.Kind{messages.Submitted, messages.Replies, messages.Log, messages.Dead} {
		u.Publish = append(u.Publish, "$JS.API.STREAM.INFO."+t.Stream(k))
	}
	u.Subscribe = []string{t.Followed() + "*", t.Member(">"), t.Changed("*.*")}
	return u
}

func (t *table) replies() User {
	u := User{Name: Replies, Inbox: messages.WorkerReplyInbox,
		Says: "protocolq worker --nats-reply-creds: takes queries and sends replies."}
	u.Publish = []string{"_R_.>"} // where an asker of another account awaits its reply
	u.uses(t.fleet, Ask, t.Reply()+">")
	u.Subscribe = []string{t.Query() + " " + messages.QueueGroup, t.QueryAll() + " " + messages.QueueGroup}
	u.Subscribe = append(u.Subscribe, services()...)
	return u
}

// services are the subjects of NATS micro services.
func services() (all []string) {
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		all = append(all, "$SRV."+verb, "$SRV."+verb+".>")
	}
	return all
}

func (t *table) recorder() User {
	u := User{Name: Recorder, Inbox: messages.RecorderInbox,
		Says: "protocolq recorder: takes the lines of the query log out of their stream, and pushes alerts."}
	u.uses(t.fleet, Ask, "$JS.API.STREAM.INFO."+t.Stream(messages.Log)) // how full it is
	t.reads(&u, messages.Log, messages.ConsumerRecorder)
	// Alerts: the state of the workers, how full other streams are, and which recorder sends.
	u.uses(t.doors, Pull, "$SRV.STATS."+messages.ServiceName)
	for _, k := range []messages.Kind{messages.Submitted, messages.Replies, messages.Dead} {
		u.uses(t.fleet, Ask, "$JS.API.STREAM.INFO."+t.Stream(k))
	}
	u.uses(t.fleet, Pull, "$JS.API.DIRECT.GET."+t.Stream(messages.Fleet)+"."+t.Alerts())
	u.uses(t.fleet, Ask, t.Alerts())
	return u
}

func (t *table) ops() User {
	u := User{Name: Ops, Inbox: messages.OpsInbox,
		Says: "An operator: protocolq dead, partner, intake and forget."}
	dead, fleet := t.Stream(messages.Dead), t.Stream(messages.Fleet)
	u.uses(t.fleet, Ask, "$JS.API.STREAM.INFO."+dead, "$JS.API.STREAM.INFO."+fleet)
	t.operates(&u)
	u.uses(t.fleet, Ask, t.Forget())
	watches := t.Stream(messages.Watches) // a person in a watch is also forgotten
	u.uses(t.fleet, Ask, "$JS.API.STREAM.INFO."+watches, "$JS.API.STREAM.MSG.DELETE."+watches)
	u.uses(t.fleet, Pull, "$JS.API.DIRECT.GET."+watches)
	return u
}

// operates adds reading and acting on dead letters, halts and the intake.
func (t *table) operates(u *User) {
	dead, fleet := t.Stream(messages.Dead), t.Stream(messages.Fleet)
	u.uses(t.fleet, Ask, "$JS.API.STREAM.MSG.DELETE."+dead)
	u.uses(t.fleet, Pull, "$JS.API.DIRECT.GET."+dead,
		"$JS.API.DIRECT.GET."+fleet+"."+t.Partner("*", "*"), "$JS.API.DIRECT.GET."+fleet+"."+t.Intake())
	u.uses(t.fleet, Ask, t.Redrive("*"), t.Partner("*", "halt"), t.Intake())
}

func (t *table) monitor() User {
	u := User{Name: Monitor, Inbox: messages.MonitorInbox,
		Says: "Looks at a fleet: nats service stats protocol-query, signs of life, streams and consumers; reads no " +
			"message."}
	t.looks(&u)
	return u
}

// looks adds looking at a fleet.
func (t *table) looks(u *User) {
	u.uses(t.doors, Pull, services()...)
	u.uses(t.fleet, Subscribe, t.Members())
	for _, k := range messages.Kinds() {
		u.uses(t.fleet, Ask, "$JS.API.STREAM.INFO."+t.Stream(k), "$JS.API.CONSUMER.INFO."+t.Stream(k)+".*")
	}
}

func (t *table) console() User {
	u := User{Name: Console, Inbox: inboxOf(messages.ConsoleName),
		Says: "protocolq console: asks and submits for each partner in the page's name, keeps what its users watch, " +
			"looks at the fleet, and acts as OPS does, but has nobody forgotten."}
	t.asks(&u, t.doors, Await, t.Query(), messages.ConsoleName)
	t.looks(&u)
	t.operates(&u)
	// Watches: a due question is submitted, and the reply is stored with the watch.
	watches := t.Stream(messages.Watches)
	u.uses(t.fleet, Ask, "$JS.API.STREAM.INFO."+watches, t.Watch(messages.WatchKept, "*", "*"),
		t.Watch(messages.WatchPlan, "*", "*"))
	u.uses(t.fleet, Pull, "$JS.API.DIRECT.GET."+watches)
	t.reads(&u, messages.Watches, messages.ConsumerWatches)
	t.asks(&u, t.fleet, Ask, t.Submit(), messages.ConsoleName)
	t.reads(&u, messages.Replies, messages.ConsoleName)
	return u
}

func (t *table) asker(name string) User {
	u := User{Name: Asker(name), Inbox: inboxOf(name),
		Says: "A program that asks and submits under its name, and reads its durable replies."}
	t.asks(&u, t.doors, Await, t.Query(), name)
	t.asks(&u, t.fleet, Ask, t.Submit(), name)
	t.reads(&u, messages.Replies, name)
	if t.o.Events {
		t.listens(&u, name)
	}
	return u
}

func (t *table) http() User {
	u := User{Name: HTTPDoor, Inbox: messages.HTTPInbox,
		Says: "protocolq http: asks and submits under the name of each HTTP asker, reads their durable replies and " +
			"keeps their answers."}
	for _, name := range t.o.HTTP {
		for _, p := range t.o.Partners {
			u.uses(t.doors, Await, t.QueryBy(p, name))
			u.uses(t.fleet, Ask, t.SubmitOf(p, name))
		}
		t.reads(&u, messages.Replies, name)
		t.readsOf(&u, t.StreamHTTP(name), messages.ConsumerWebhook)
		for _, what := range []string{messages.HTTPAsked, messages.HTTPAnswer, messages.HTTPBatch,
			messages.HTTPUndelivered} {
			kept := t.Names.HTTP(name, what, "*")
			u.uses(t.fleet, Ask, kept, "$JS.API.DIRECT.GET."+t.StreamHTTP(name)+"."+kept)
		}
		u.uses(t.fleet, Ask, "$JS.API.DIRECT.GET."+t.StreamHTTP(name)) // the next of several
	}
	return u
}

// asks adds the subjects of one door for an asker's name: by any of them the workers know the name.
func (t *table) asks(u *User, account string, use Use, plain, name string) {
	for i, p := range t.o.Partners {
		pinned := plain + "." + p + "." + name
		if i == 0 {
			u.Rights = append(u.Rights, Right{Account: account, Subject: pinned, As: plain, Use: use})
		}
		u.Rights = append(u.Rights, Right{Account: account, Subject: pinned, As: plain + "." + p, Use: use})
		u.uses(account, use, pinned)
	}
}

func (t *table) listener(name string) User {
	u := User{Name: Listener(name), Inbox: inboxOf(name),
		Says: "A program that reads events, live or by its durable consumer, and can do nothing else."}
	t.listens(&u, name)
	return u
}

func (t *table) listens(u *User, name string) {
	for _, p := range t.o.Partners {
		u.uses(t.fleet, Subscribe, t.Event(p, "*"))
	}
	t.reads(u, messages.Events, name)
}
