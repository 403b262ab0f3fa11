// Duties: what has to be published because of an entry of the journal.

package outbox

import (
	"strings"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// Duty is what is owed because of one entry. Exactly one of Ask, Run and Corrupt is set. What it
// points to is never changed.
type Duty struct {
	// Entry is the entry's first place, which identifies the duty; for a corrupt batch that of the
	// first entry, whatever it was.
	Entry   journal.Ref
	Ask     *Ask
	Run     *Run
	Corrupt *Corrupt
}

// Ask is a settled ask. It owes a reply if its asker wants one, a line, and a dead letter if a
// submitted query got no answer.
type Ask struct {
	// Ask holds a whole query: its id and its partner are filled in.
	Ask *journal.Ask
	// Read is that query if the caller has decoded it already, which saves a third of what an ask
	// costs here; nil: it is decoded from Ask.
	Read *messages.Query
	// Stored is when its first batch was stored, by the server's clock.
	Stored time.Time
	// Answer is what settles it; nil if Why, one of the codes of messages, says why there is none.
	Answer *journal.Answer
	Why    string
	// Source is where the Answer comes from, see [SourceOf].
	Source messages.Source
	// RetryAfter is what is left of the failed Answer's cool-down, of the halt or of the pause.
	RetryAfter time.Duration
	// Note says more about Why to a person; "" is nothing.
	Note string
	// UnderWay is the newest begin of the key's open run, if the ask's deadline passed during that
	// run; otherwise nil.
	UnderWay *journal.Begin
	// Failed is the failure that cools the key down, if the ask's deadline passed during the
	// cool-down; otherwise nil.
	Failed *journal.Answer
	// Deaths is how many members have died while they ran the key, for an ask that a crashed run
	// settles.
	Deaths int
}

// Run is an answer, the end of a run. It owes an event and a line. A released run owes nothing,
// because it made no call.
type Run struct {
	Answer *journal.Answer
	// Stored is when the answer's batch was stored, by the server's clock, and By the member that
	// wrote it.
	Stored time.Time
	By     journal.Member
	// Begins are those of the run and of the runs that it follows, the oldest first.
	Begins []Begun
	// Query is that of the ask that started the run; nil if it is no longer known.
	Query []byte
	// Read is that query if the caller has decoded it already; nil: it is decoded from Query.
	Read *messages.Query
	// Trace is the trace context of that ask, or "".
	Trace string
	// Asks are those that the answer settles, as far as the caller has them, and Settles is how many
	// there are.
	Asks    []Asked
	Settles int
}

// Asked is an ask and, if the caller has decoded it already, its query.
type Asked struct {
	Ask  *journal.Ask
	Read *messages.Query
}

// Begun is a begin and when its batch was stored, by the server's clock.
type Begun struct {
	Begin  *journal.Begin
	Stored time.Time
}

// Corrupt is a damaged batch of the journal. It owes a dead letter with its bytes.
type Corrupt struct {
	Member   journal.Member
	Position uint64
	Stored   time.Time
	Data     []byte
}

// SourceOf says where an ask's answer comes from: asked is the ask that started the answer's run,
// see journal.Begin; remembered says that the run had ended before.
func SourceOf(ask, asked journal.Ref, remembered bool) messages.Source {
	switch {
	case remembered:
		return messages.Remembered
	case ask == asked:
		return messages.Asked
	}
	return messages.Joined
}

// kind is the kind of message, which also decides its sink.
type kind uint8

// The kinds, in the order in which ready messages are sent: replies first.
const (
	inboxReply kind = iota
	durableReply
	event
	runLine
	askLine
	deadLetter
	kinds // how many there are
)

func (k kind) String() string {
	return [...]string{"inbox reply", "durable reply", "event", "run line", "ask line", "dead letter"}[k]
}

const mostOwed = 3 // messages of one duty

// owed lists what has to be published for a duty. q is the query of its ask; deaths is how many
// deaths make a key poison.
func owed(d *Duty, q *messages.Query, names *messages.Names, deaths int) []kind {
	all := make([]kind, 0, mostOwed)
	switch {
	case d.Ask != nil:
		switch to := d.Ask.Ask.Reply; {
		case to == "":
		case durable(to, names):
			all = append(all, durableReply)
		default:
			all = append(all, inboxReply)
		}
		all = append(all, askLine)
		if deadReason(d.Ask, q, deaths) != "" {
			all = append(all, deadLetter)
		}
	case d.Run != nil && d.Run.Answer.Verdict != journal.Released:
		all = append(all, event, runLine)
	case d.Corrupt != nil:
		all = append(all, deadLetter)
	}
	return all
}

// durable reports whether replies on the subject go into the stream of replies.
func durable(subject string, names *messages.Names) bool {
	return strings.HasPrefix(subject, names.Reply())
}

// doorName is a door in the words of messages.
func doorName(d journal.Door) string {
	if d == journal.Submit {
		return messages.DoorSubmit
	}
	return messages.DoorQuery
}
