// The log as its callers need it: who writes appends, who reads follows.

package journal

import (
	"context"
	"errors"
	"time"
)

// Appender is the log to a writer.
type Appender interface {
	// Append stores data as the member's next message, if its last one is at position expect (0: it
	// has none), and gives the position. It does not keep data. Any error but [ErrPermanent] leaves
	// open whether it was stored, or will be: only [Appender.Last] tells.
	Append(ctx context.Context, a Append) (position uint64, err error)
	// Last gives the member's newest message as the stream's leader has it; a zero Position says
	// that there is none.
	Last(ctx context.Context, m Member) (Message, error)
}

// Append is what is to be stored.
type Append struct {
	Member Member
	Expect uint64
	Data   []byte
}

// Source is the log to a reader.
type Source interface {
	// Follow hands each message to each as it is stored, from one goroutine and nearly in order,
	// until stop is called. Messages may be lost, late, and repeated.
	Follow(each func(Message)) (stop func(), err error)
	// Next gives messages from a position on in their order, at least one if it can; what lies
	// between them and before the first is not in the log. That there is none proves nothing: who
	// answers may be behind.
	Next(ctx context.Context, from uint64) ([]Message, error)
}

// Getter is the log to those who need one batch again.
type Getter interface {
	// Get gives the message at a position. A zero Position says that who answered does not have it:
	// it was purged, or is not there yet.
	Get(ctx context.Context, position uint64) (Message, error)
}

// Keeper is the log to those who keep it small.
type Keeper interface {
	// State says what the log holds, as the stream's leader has it.
	State(ctx context.Context) (State, error)
	// Purge removes every message below a position.
	Purge(ctx context.Context, below uint64) error
}

// Log is all of it, as a member has it.
type Log interface {
	Appender
	Source
	Getter
	Keeper
}

// State is what a log holds.
type State struct {
	// First and Last are the positions of the oldest and the newest message. A log that holds
	// nothing has the position of the next message as First, and of the one before it as Last.
	First, Last uint64
	// Bytes are what the messages take with all that is stored beside them, MaxBytes what they may
	// take; 0: there is no bound.
	Bytes, MaxBytes uint64
	// Time is what the leader's clock showed; zero where nobody says.
	Time time.Time
}

// Fill is the part of its room that the log takes, from 0 to 1; 0 where there is no bound.
func (s State) Fill() float64 {
	if s.MaxBytes == 0 {
		return 0
	}
	return float64(s.Bytes) / float64(s.MaxBytes)
}

// What an Append comes to beside a position.
var (
	// ErrRefused says that the member's last message was not at the expected position, in the eyes
	// of the one that answered.
	ErrRefused = errors.New("journal: another message was expected")
	// ErrFull says that the log has no room, now.
	ErrFull = errors.New("journal: the log is full")
	// ErrPermanent says that nothing was stored, and that the same append will be refused for as
	// long as settings are what they are.
	ErrPermanent = errors.New("journal: the log does not take this")
	// ErrSmall says that messages which the log must take are refused as too long.
	ErrSmall = errors.New("journal: messages are let through that are too short for it")
	// ErrNoLog says that there is no log: it is not made yet, or was deleted.
	ErrNoLog = errors.New("journal: there is no log")
)

// Times of a writer and of a reader.
const (
	ackWait  = 500 * time.Millisecond // for an acknowledgement, and for an answer of the leader
	minPause = 50 * time.Millisecond  // before something is tried again; doubled each time
	maxPause = time.Second
)
