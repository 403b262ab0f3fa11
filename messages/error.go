// Why a message was refused, with what is needed to tell its sender.

package messages

import "slices"

// Error is the refusal of a message by its bytes or its fields. What could be read before the fault
// is in ID, Key, Partner and ReplyTo, each only where it was right by itself, so that a refused
// Result can be addressed.
type Error struct {
	Code   string // BadRequest, TooLarge or ReplyRefused
	Field  string // the field's name on the wire, "" when the message as a whole is at fault
	Reason string // what is wrong and what to do, without the field's name

	// Newer says that it is of a later version, which another program may be able to read.
	Newer bool

	ID, Key, Partner, ReplyTo string
}

// Error is the code, the field and the reason in one line.
func (e *Error) Error() string { return e.Code + ": " + e.Message() }

// Brief is the error for a log: the code and, when it is a Query's own, the field. Nothing in it
// was written by the asker.
func (e *Error) Brief() string {
	if f := e.QueryField(); f != "" {
		return e.Code + " in " + f
	}
	return e.Code
}

// QueryField is the field when it is a Query's own, else "": the asker may have put its data
// anywhere, also where a name belongs.
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
