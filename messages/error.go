// Why a message was refused, with what is needed to tell its sender.

package messages

import "slices"

// Error is the refusal of a message because of its bytes or its fields. ID, Key, Partner and
// ReplyTo hold what could be read before the fault, if it was valid by itself, so that the refusal
// can be addressed.
type Error struct {
	Code   string // BadRequest, TooLarge or ReplyRefused
	Field  string // the field's name on the wire, "" if the whole message is wrong
	Reason string // what is wrong and what to do, without the field's name

	// Newer says that the message is of a later version, which another program may be able to read.
	Newer bool

	ID, Key, Partner, ReplyTo string
}

// Error is the code, the field and the reason in one line.
func (e *Error) Error() string { return e.Code + ": " + e.Message() }

// Brief is the error for a log: the code and, if it is one of a Query's own, the field. It contains
// no text of the asker.
func (e *Error) Brief() string {
	if f := e.QueryField(); f != "" {
		return e.Code + " in " + f
	}
	return e.Code
}

// QueryField is the field if it is one of a Query's own, else "": an asker may put personal data
// anywhere, also in place of a name.
func (e *Error) QueryField() string {
	if slices.Contains(queryFields[:], e.Field) {
		return e.Field
	}
	return ""
}

// Message is the field and the reason, as they go into Result.Message.
func (e *Error) Message() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

// Result is the refusal to send to the asker.
func (e *Error) Result() Result {
	return Result{V: Version, ID: e.ID, Key: e.Key, Partner: e.Partner, Outcome: Refused, Code: e.Code,
		Message: e.Message()}
}
