// Subjects of the doors, and what they mean.

package intake

import (
	"strings"

	"protocolq/messages"
)

// names are the subjects of the doors.
type names struct{ messages.Names }

// redriveOf is the partner in the subject of a dead letter that is sent again; ok is false for any
// other subject.
func (n *names) redriveOf(subject string) (partner string, ok bool) {
	return strings.CutPrefix(subject, n.Redrive(""))
}

// durable reports whether replies on the subject go into the stream of replies.
func (n *names) durable(subject string) bool { return strings.HasPrefix(subject, n.Reply()) }
