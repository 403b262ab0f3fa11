// Every subject of the system, made from one prefix.

package messages

import (
	"fmt"
	"strings"
)

// DefaultPrefix is the first token of every subject, unless the setting prefix says otherwise.
const DefaultPrefix = "protocol"

// QueueGroup is the queue group in which the workers answer Query().
const QueueGroup = "workers"

// ServiceName is the name under which NATS service tools find the workers.
const ServiceName = "protocol-query"

const maxPrefix = 64

// Names makes the subjects, stream names and filters for one prefix. The zero value is not usable:
// call NewNames. Names is a value, safe to copy and to share.
type Names struct {
	prefix, stream string
	// without a dot: query and submit, which are subjects themselves
	query, submit, changed, partner                    string
	reply, event, log, dead                            string
	journal, followed, member, forget, redrive, intake string
	alerts, watch                                      string
	queryAll, submitAll, root, http                    string
}

// NewNames checks the prefix: tokens of letters, digits, - and _, joined by single dots, at most 64
// bytes.
func NewNames(prefix string) (Names, error) {
	if err := checkPrefix(prefix); err != nil {
		return Names{}, err
	}
	root := prefix + "."
	return Names{
		prefix: prefix, root: root,
		stream: strings.ToUpper(strings.ReplaceAll(prefix, ".", "_")) + "_",
		query:  root + "query", queryAll: root + "query.>",
		submit: root + "submit", submitAll: root + "submit.>",
		partner: root + "partner.", changed: root + "changed.",
		reply: root + "reply.", event: root + "event.", log: root + "log.", dead: root + "dead.",
		journal: root + "journal.", followed: root + "followed.", member: root + "member.",
		http: root + "http.", forget: root + "forget", redrive: root + "redrive.", intake: root +
			"intake", alerts: root + "alerts", watch: root + "watch.",
	}, nil
}

func checkPrefix(prefix string) error {
	if len(prefix) > maxPrefix {
		return fmt.Errorf("prefix %.16q… is %d bytes long: at most %d", prefix, len(prefix), maxPrefix)
	}
	for token := range strings.SplitSeq(prefix, ".") {
		if !IsToken(token) {
			return fmt.Errorf("prefix %q: each part between dots must have letters, digits, - and _", prefix)
		}
	}
	return nil
}

// IsToken reports whether s can be one token of our subjects: some of A-Z, a-z, 0-9, - and _.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

// Prefix is the prefix given to NewNames.
func (n Names) Prefix() string { return n.prefix }

// Query is where an asker asks and waits, in trust domains where anybody may ask for any partner.
func (n Names) Query() string { return n.query }

// QueryOf is Query for one partner, so that NATS permissions can say who may ask for which partner.
func (n Names) QueryOf(partner string) string { return n.query + "." + partner }

// QueryBy is QueryOf for one asker of that partner, if name is not empty.
func (n Names) QueryBy(partner, name string) string {
	if name == "" {
		return n.QueryOf(partner)
	}
	return n.QueryOf(partner) + "." + name
}

// QueryAll covers QueryOf of every partner, with and without an asker's name.
func (n Names) QueryAll() string { return n.queryAll }

// Submit is where an asker asks without waiting.
func (n Names) Submit() string { return n.submit }

// SubmitOf is Submit for one partner and, if name is not empty, for one asker of that partner.
func (n Names) SubmitOf(partner, name string) string {
	if name == "" {
		return n.submit + "." + partner
	}
	return n.submit + "." + partner + "." + name
}

// Reply is the beginning of every durable reply subject, with its dot.
func (n Names) Reply() string { return n.reply }

// ReplyOf is the durable reply subject of one asker.
func (n Names) ReplyOf(name string) string { return n.reply + name }

// Event is published once for every run of the gateway.
func (n Names) Event(partner string, o Outcome) string {
	return n.event + partner + "." + string(o)
}

// LogRun carries the lines about runs, LogAsk those about asks; the recorder reads both.
func (n Names) LogRun() string { return n.log + "run" }

// LogAsk carries the lines about asks.
func (n Names) LogAsk() string { return n.log + "ask" }

// Dead is the subject of what could not be answered. reason is one of the Dead… words.
func (n Names) Dead(reason string) string { return n.dead + reason }

// Partner is a record that the fleet shares about a partner, such as its rate or its halt.
func (n Names) Partner(partner, record string) string { return n.partner + partner + "." + record }

// Changed is where a record of Partner is republished: record is what follows the first token of
// its subject.
func (n Names) Changed(record string) string { return n.changed + record }

// Intake is the record that the fleet shares about its intake: whether operators have paused it.
func (n Names) Intake() string { return n.intake }

// Alerts is the subject of the record that says which alerts were sent, and by which process.
func (n Names) Alerts() string { return n.alerts }

// Journal is the beginning of every batch's subject, with its dot; the member that writes the batch
// follows.
func (n Names) Journal() string { return n.journal }

// Followed is the same for republished batches.
func (n Names) Followed() string { return n.followed }

// Member is where a member publishes its beats.
func (n Names) Member(id string) string { return n.member + id }

// Members covers Member of every member, but no Ping.
func (n Names) Members() string { return n.member + "*" }

// Ping is where only that member responds: a dead member has no responders there.
func (n Names) Ping(id string) string { return n.member + id + ".ping" }

// Forget is where operators say that a person is to be forgotten.
func (n Names) Forget() string { return n.forget }

// Redrive is where operators ask again for a partner what could not be answered.
func (n Names) Redrive(partner string) string { return n.redrive + partner }

// HTTP is what the HTTP door keeps for an asker: one message for each kind and name.
func (n Names) HTTP(asker, what, name string) string { return n.http + asker + "." + what + "." + name }

// StreamHTTP is the name of the stream that captures [Names.HTTP] of one asker, for all kinds. Each
// asker has its own stream, so that the queries of one do not displace the answers of another.
func (n Names) StreamHTTP(asker string) string { return n.stream + "HTTP_" + asker }

// What the HTTP door keeps.
const (
	HTTPAsked       = "asked"       // a stored query, and its question
	HTTPAnswer      = "answer"      // the last Result for the query
	HTTPBatch       = "batch"       // the ids of a batch of queries
	HTTPUndelivered = "undelivered" // an answer that its webhook never accepted
)

// Watch is what the page in the browser keeps of a watch: what is one of the Watch… words, owner
// identifies the user of the watch.
func (n Names) Watch(what, owner, id string) string { return n.watch + what + "." + owner + "." + id }

// What is kept of a watch.
const (
	WatchKept = "kept" // its record
	WatchPlan = "plan" // the schedule of its next question
	WatchDue  = "due"  // the message of the schedule when its time has come
)

// PartnerOf is the partner in a subject of one of the doors; "" in the plain forms. ok is false for
// any other subject.
func (n Names) PartnerOf(subject string) (partner string, ok bool) {
	door, partner, _ := n.takeApart(subject)
	return partner, door != ""
}

// AskerOf is the asker in a subject of one of the doors: the one token after its partner; "" if
// there is none, or more than one.
func (n Names) AskerOf(subject string) string {
	if _, _, asker := n.takeApart(subject); IsToken(asker) {
		return asker
	}
	return ""
}

// NamesAsker reports whether anything follows the partner in a subject of one of the doors. If that
// is not a name, see AskerOf, it belongs to no asker.
func (n Names) NamesAsker(subject string) bool {
	_, _, asker := n.takeApart(subject)
	return asker != ""
}

// takeApart returns the door of a subject, "" if it has none, its partner and everything that
// follows.
func (n Names) takeApart(subject string) (door, partner, asker string) {
	for _, d := range [...]struct{ name, head string }{{DoorQuery, n.query}, {DoorSubmit, n.submit}} {
		rest, found := strings.CutPrefix(subject, d.head)
		if !found || rest != "" && rest[0] != '.' {
			continue
		}
		partner, asker, _ = strings.Cut(strings.TrimPrefix(rest, "."), ".")
		return d.name, partner, asker
	}
	return "", "", ""
}

// The reasons for dead letters: the last token of their subjects.
const (
	DeadUnreadable   = "unreadable"    // refused, with no place to reply to
	DeadReplyRefused = "reply_refused" // its reply subject is not allowed
	DeadReplyFull    = "reply_full"    // in earlier versions: the stream of durable replies was full
	DeadPoison       = "poison"        // its workers died three times
	DeadExpired      = "expired"       // no answer within its deadline or the patience
	DeadCrashed      = "crashed"       // its worker died during the call, and after-crash says not to ask again
	DeadCorrupt      = "corrupt"       // a batch of the workers' own journal that is damaged
)
