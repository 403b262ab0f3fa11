// The subjects to which a Result may be sent. Without this check an asker could make a worker with
// wide rights publish anywhere, for example to the server's own API.

package messages

import (
	"fmt"
	"strings"
)

const maxSubject = 255

// DefaultReplies is the default allow-list of reply subjects: the inboxes of NATS clients, also
// with a prefix of their own (_INBOX_refunds), the subjects that a server makes for askers of other
// accounts, and our durable replies.
func (n Names) DefaultReplies() []string { return []string{"_INBOX", "_INBOX_", "_R_.", n.reply} }

// CheckReply checks whether a Result may be published on subject, which came from outside. allowed
// and own hold prefixes of whole tokens: the entry "_INBOX" covers "_INBOX" and "_INBOX.x" but not
// "_INBOX_rq.x". With a dot at its end ("protocol.reply.", also spelled "protocol.reply.>") an
// entry covers only subjects below it. With a _ at its end it covers every token that begins so:
// "_INBOX_" covers "_INBOX_rq.x". own are the inboxes of this process. They are refused even if
// allowed covers them, and so is every subject under our prefix except durable replies. The error
// is an *Error with code ReplyRefused and field reply_to.
func (n Names) CheckReply(subject string, allowed, own []string) error {
	reason := badSubject(subject)
	switch {
	case reason != "":
	case n.ours(subject):
		reason = "is a subject of the workers themselves; use an inbox or " + n.reply + "<name>"
	case covered(subject, own):
		reason = "is an inbox of the workers themselves; use your own"
	case !covered(subject, allowed):
		reason = fmt.Sprintf("%.64q is not under an allowed prefix (%s)", subject, strings.Join(allowed, ", "))
	default:
		return nil
	}
	return &Error{Code: ReplyRefused, Field: "reply_to", Reason: reason}
}

// CheckReplyOf checks whether a named asker may use subject as reply_to: only its own durable
// replies, [Names.ReplyOf] and subjects below it. Otherwise it could send a false answer to another
// asker. The error is like that of CheckReply; asker "" has no name.
func (n Names) CheckReplyOf(asker, subject string) error {
	if asker == "" || below(subject, n.ReplyOf(asker)) {
		return nil
	}
	return &Error{Code: ReplyRefused, Field: "reply_to",
		Reason: fmt.Sprintf("is not this asker's own; use %s or a subject below it", n.ReplyOf(asker))}
}

// Inbox prefixes of a fleet's own connections. Askers have others, so that no asker can have a
// reply sent to these.
const (
	WorkerInbox      = "_INBOX_wk"
	WorkerReplyInbox = "_INBOX_wr" // of the connection that replies
	ProvisionerInbox = "_INBOX_provisioner"
	RecorderInbox    = "_INBOX_recorder"
	OpsInbox         = "_INBOX_ops"
	MonitorInbox     = "_INBOX_monitor"
)

// HTTPInbox is the inbox prefix of the HTTP door. It is an asker's inbox: replies may go to it.
const HTTPInbox = "_INBOX_http"

// OwnInboxes lists all inbox prefixes of a fleet's own connections.
func OwnInboxes() []string {
	return []string{WorkerInbox, WorkerReplyInbox, ProvisionerInbox, RecorderInbox, OpsInbox, MonitorInbox}
}

// CheckSubmitted finds faults for which every worker would refuse a submitted query: stored, it
// would only become a dead letter, of which its sender learns nothing. Which other subjects a fleet
// allows as reply_to is a setting of its workers, and not known here.
func (n Names) CheckSubmitted(q Query) error {
	if err := q.Check(); err != nil || q.ReplyTo == "" {
		return err
	}
	return n.CheckReply(q.ReplyTo, []string{q.ReplyTo}, OwnInboxes())
}

// CheckAllowed finds what is wrong with an entry of the allow-list of reply subjects that an
// operator has set.
func (n Names) CheckAllowed(entry string) error {
	head := strings.TrimSuffix(strings.TrimSuffix(entry, ">"), ".")
	if reason := badSubject(head); reason != "" {
		return fmt.Errorf("allowed reply prefix %.64q: %s", entry, reason)
	}
	if n.ours(head) && head+"." != n.reply {
		return fmt.Errorf("allowed reply prefix %.64q: covers subjects of the workers themselves", entry)
	}
	return nil
}

// ours reports whether a subject is one of our system's, except durable replies.
func (n Names) ours(subject string) bool {
	return subject == n.prefix || strings.HasPrefix(subject, n.root) && !below(subject, n.reply)
}

func covered(subject string, entries []string) bool {
	for _, e := range entries {
		e = strings.TrimSuffix(e, ">")
		if e == "" {
			continue
		}
		if below(subject, e) {
			return true
		}
	}
	return false
}

// below reports whether the entry, taken as whole tokens, covers the subject.
func below(subject, entry string) bool {
	rest, ok := strings.CutPrefix(subject, entry)
	switch {
	case !ok:
		return false
	case strings.HasSuffix(entry, "."):
		return rest != ""
	case strings.HasSuffix(entry, "_"):
		return true
	}
	return rest == "" || rest[0] == '.'
}

// badSubject says why s is not a plain subject, or returns "".
func badSubject(s string) string {
	if s == "" {
		return "is empty"
	}
	if len(s) > maxSubject {
		return fmt.Sprintf("is %d bytes long; at most %d", len(s), maxSubject)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c > '~':
			return "has a space, a control character or a letter outside ASCII"
		case c == '*' || c == '>':
			return "has a wildcard; name one subject"
		case c == '$':
			return "has a $: subjects of the server itself are never replied to"
		}
	}
	if s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return "has an empty part between dots"
	}
	return ""
}
