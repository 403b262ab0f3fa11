// The names of the streams and consumers, and what each captures.

package messages

import "strings"

// Kind is the last part of a stream's name.
type Kind string

// The streams, and what each is for.
const (
	Journal   Kind = "JOURNAL"   // the log of all that the workers decide
	Fleet     Kind = "FLEET"     // records the fleet shares about a partner, its intake and its alerts
	Submitted Kind = "SUBMITTED" // what is submitted, and operators' words, until they are in the log
	Replies   Kind = "REPLIES"   // durable replies
	Events    Kind = "EVENTS"    // one event a run
	Log       Kind = "LOG"       // lines for the query log
	Dead      Kind = "DEAD"      // what could not be answered
)

// Watches is the stream of the page in the browser: what its users watch, and when it is asked
// again. It is no part of what workers and askers have to do with, and none of Kinds.
const Watches Kind = "WATCHES"

// Kinds lists every stream of the workers and of those who ask them.
func Kinds() []Kind {
	return []Kind{Journal, Fleet, Submitted, Replies, Events, Log, Dead}
}

// The durable consumers. Each reads all of its stream, but where it says so.
const (
	ConsumerSubmitted = "submitted" // of Submitted
	ConsumerRecorder  = "recorder"  // of Log
	ConsumerWebhook   = "webhook"   // of [Names.StreamHTTP], the answers
	ConsumerWatches   = "watches"   // of Watches, what is due
)

// ConsoleName is by what the page in the browser asks and submits: the last token of its subjects,
// and the name of its consumer of Replies. No asker has it.
const ConsoleName = "console"

// backupName is the name in the inbox of the NATS user who backs up.
const backupName = "backup"

// IsFleets reports whether a name, in capitals or not, is the fleet's own, so that no asker has it.
// Those that are only an inbox's are in OwnInboxes.
func IsFleets(name string) bool {
	return strings.EqualFold(name, ConsoleName) || strings.EqualFold(name, backupName)
}

// Stream is the name of a stream: the prefix in capitals with _ for each dot, then the kind.
func (n Names) Stream(k Kind) string { return n.stream + string(k) }

// Captures lists the subjects a stream captures; nil for an unknown kind. No two streams
// share a subject, and none captures Query().
func (n Names) Captures(k Kind) []string {
	switch k {
	case Journal:
		return []string{n.journal + "*"}
	case Submitted:
		return []string{n.submit, n.submitAll, n.redrive + "*", n.forget}
	case Fleet: // the first is republished
		return []string{n.partner + "*.*", n.intake, n.alerts}
	case Replies:
		return []string{n.reply + ">"}
	case Events:
		return []string{n.event + "*.*"}
	case Log:
		return []string{n.log + ">"}
	case Dead:
		return []string{n.dead + "*"}
	case Watches:
		return []string{n.watch + "*.*.*"}
	}
	return nil
}
