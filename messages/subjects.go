// Every subject of the system, made from one prefix.

package messages

import (
	"fmt"
	"strings"
)

// DefaultPrefix is the first token of every subject unless the setting prefix says otherwise.
const DefaultPrefix = "protocol"

// QueueGroup is the queue group in which the workers answer Query().
const QueueGroup = "workers"

// ServiceName is the name under which NATS service tools find the workers.
const ServiceName = "protocol-query"

const maxPrefix = 64

// Names makes the subjects, stream names and filters for one prefix. The zero value is of no use:
// call NewNames. It is a value, safe to copy and to share.
type Names struct {
	prefix, stream                                              string
	query, submit, request, state, changed, wait, partner       string // without a dot: query and submit, which are subjects themselves
	reply, event, log, dead                                     string
	queryAll, submitAll, requestAll, stateAll, changedAll, root string
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
		query:  root + "query", queryAll: root + "query.*",
		submit: root + "submit", submitAll: root + "submit.>",
		request: root + "request.", requestAll: root + "request.*",
		state: root + "state.", stateAll: root + "state.*",
		changed: root + "changed.", changedAll: root + "changed.*",
		wait: root + "wait.", partner: root + "partner.",
		reply: root + "reply.", event: root + "event.", log: root + "log.", dead: root + "dead.",
	}, nil
}

func checkPrefix(prefix string) error {
	if len(prefix) > maxPrefix {
		return fmt.Errorf("prefix %.16q… is %d bytes long: at most %d", prefix, len(prefix), maxPrefix)
	}
	for token := range strings.SplitSeq(prefix, ".") {
		if !IsToken(token) {
			return fmt.Errorf("prefix %q: each part between dots must be of letters, digits, - and _", prefix)
		}
	}
	return nil
}

// IsToken tells whether s may be one token of our subjects: one or more of A-Z, a-z, 0-9, - and _.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

// Prefix is what NewNames was given.
func (n Names) Prefix() string { return n.prefix }

// Query is where an asker asks and awaits, in trust domains where anybody may ask for any partner.
func (n Names) Query() string { return n.query }

// QueryOf is Query for one partner, so that NATS permissions can say who may ask for whom.
func (n Names) QueryOf(partner string) string { return n.query + "." + partner }

// QueryAll covers QueryOf of every partner.
func (n Names) QueryAll() string { return n.queryAll }

// Submit is where an asker asks and goes.
func (n Names) Submit() string { return n.submit }

// SubmitOf is Submit for one partner and, when name is not empty, for one asker of that partner.
func (n Names) SubmitOf(partner, name string) string {
	if name == "" {
		return n.submit + "." + partner
	}
	return n.submit + "." + partner + "." + name
}

// Request is what the front door stores for a key token.
func (n Names) Request(key string) string { return n.request + key }

// Requests is what the front door stores of many askers in one message; no key token is spelled so.
func (n Names) Requests() string { return n.request + "batch" }

// State is the record of a key token.
func (n Names) State(key string) string { return n.state + key }

// Changed is where the record of a key token is republished.
func (n Names) Changed(key string) string { return n.changed + key }

// ChangedAll covers Changed of every key.
func (n Names) ChangedAll() string { return n.changedAll }

// StateAll covers State of every key.
func (n Names) StateAll() string { return n.stateAll }

// Reply is the beginning of every durable reply subject, with its dot.
func (n Names) Reply() string { return n.reply }

// ReplyOf is the durable reply subject of one asker.
func (n Names) ReplyOf(name string) string { return n.reply + name }

// Event is told once for every run of the gateway.
func (n Names) Event(partner string, o Outcome) string {
	return n.event + partner + "." + string(o)
}

// LogRun carries the lines about runs, LogAsk those about asks; the recorder reads both.
func (n Names) LogRun() string { return n.log + "run" }

// LogAsk carries the lines about asks.
func (n Names) LogAsk() string { return n.log + "ask" }

// Dead is where goes what could not be answered. reason is one of the Dead… words.
func (n Names) Dead(reason string) string { return n.dead + reason }

// Wait is where submitted queries wait for a cool-down or a halted partner.
func (n Names) Wait(partner string) string { return n.wait + partner }

// Partner is a record the fleet shares about a partner, such as its rate or its halt.
func (n Names) Partner(partner, record string) string { return n.partner + partner + "." + record }

// KeyOf is the key token at the end of a Request, State or Changed subject.
func (n Names) KeyOf(subject string) (key string, ok bool) {
	for _, head := range [...]string{n.changed, n.request, n.state} {
		if key, ok = strings.CutPrefix(subject, head); ok {
			return key, IsToken(key) && subject != n.Requests()
		}
	}
	return "", false
}

// PartnerOf is the partner in a QueryOf or SubmitOf subject; "" in the plain forms. ok is false for
// any other subject.
func (n Names) PartnerOf(subject string) (partner string, ok bool) {
	for _, head := range [...]string{n.query, n.submit} {
		rest, found := strings.CutPrefix(subject, head)
		if !found || rest != "" && rest[0] != '.' {
			continue
		}
		partner, _, _ = strings.Cut(strings.TrimPrefix(rest, "."), ".")
		return partner, true
	}
	return "", false
}

// Why a dead letter is dead: the last token of its subject.
const (
	DeadUnreadable   = "unreadable"    // refused, with no place to reply to
	DeadReplyRefused = "reply_refused" // its reply subject is not allowed
	DeadReplyFull    = "reply_full"    // the stream of durable replies took no more
	DeadPoison       = "poison"        // its workers died three times
	DeadExpired      = "expired"       // no answer within its deadline or the patience
	DeadCrashed      = "crashed"       // its worker died in the call, and after-crash says not to ask again
	DeadCorrupt      = "corrupt"       // a batch of the workers' own journal that is not what was written
)
