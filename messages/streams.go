// The names of the streams and consumers, and which subjects each stream captures.

package messages

import "strings"

// Kind is the last part of a stream's name.
type Kind string

// The streams, and what each is for.
const (
	Journal   Kind = "JOURNAL"   // the log of all decisions of the workers
	Fleet     Kind = "FLEET"     // records that the fleet shares about a partner, its intake and its alerts
	Submitted Kind = "SUBMITTED" // submitted queries, and operators' commands, until they are in the log
	Replies   Kind = "REPLIES"   // durable replies
	Events    Kind = "EVENTS"    // one event for each run
	Log       Kind = "LOG"       // lines for the query log
	Dead      Kind = "DEAD"      // what could not be answered
)

// Watches is the stream of the page in the browser: whom its users watch, and when to ask again.
// Workers and askers do not use it, and it is not in Kinds.
const Watches Kind = "WATCHES"

// Kinds lists every stream of the workers and of their askers.
func Kinds() []Kind {
	return []Kind{Journal, Fleet, Submitted, Replies, Events, Log, Dead}
}

// The durable consumers. Each reads its whole stream, unless its comment says otherwise.
const (
	ConsumerSubmitted = "submitted" // of Submitted
	ConsumerRecorder  = "recorder"  // of Log
	ConsumerWebhook   = "webhook"   // of [Names.StreamHTTP], only answers
	ConsumerWatches   = "watches"   // of Watches, only due messages
)

// ConsoleName is the name under which the page in the browser asks and submits: the last token of
// its subjects, and the name of its consumer of Replies. No asker may have it.
const ConsoleName = "console"

// backupName is the name in the inbox of the NATS user for backups.
const backupName = "backup"

// IsFleets reports whether a name, in capitals or not, is the fleet's own, so that no asker may
// have it. Names that are only in inboxes are in OwnInboxes.
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
	case Fleet: // the first one is republished
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
