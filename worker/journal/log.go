// The log as its callers need it: writers append, readers follow.

package journal

import (
	"context"
	"errors"
	"time"
)

// Appender is the log to a writer.
type Appender interface {
	// Append stores data as the member's next message, if its last one is at position expect (0: it
	// has none), and gives the position. It does not keep data. After any error but [ErrPermanent] it
	// is open whether the message was stored, or will be: only [Appender.Last] tells.
	Append(ctx context.Context, a Append) (position uint64, err error)
	// Last gives the member's newest message as the stream's leader has it; a zero Position says
	// that there is none.
	Last(ctx context.Context, m Member) (Message, error)
}

// Append is a message to store.
type Append struct {
	Member Member
	Expect uint64
	Data   []byte
}

// Source is the log to a reader.
type Source interface {
	// Follow calls each with each message as it is stored, from one goroutine and nearly in order,
	// until stop is called. Messages may be lost, late or repeated.
	Follow(each func(Message)) (stop func(), err error)
	// Next gives messages from a position on in their order, at least one if possible; positions
	// between them and before the first are not in the log. An empty reply proves nothing: the server
	// that replies may be behind. It may be called from several goroutines at once.
	Next(ctx context.Context, from uint64) ([]Message, error)
}

// Getter is the log for callers that need one batch again.
type Getter interface {
	// Get gives the message at a position. A zero Position says that the server that replied does not
	// have it: it was purged, or is not there yet.
	Get(ctx context.Context, position uint64) (Message, error)
}

// Leader is the log for callers that doubt what a replica gave them.
type Leader interface {
	// AtLeader gives the message at a position as the stream's leader has it; a zero Position says
	// that there is none.
	AtLeader(ctx context.Context, position uint64) (Message, error)
}

// Keeper is the log for callers that keep it small.
type Keeper interface {
	// State says what the log holds, as the stream's leader has it.
	State(ctx context.Context) (State, error)
	// Purge removes every message below a position.
	Purge(ctx context.Context, below uint64) error
}

// Log is everything that a member needs of the log.
type Log interface {
	Appender
	Source
	Getter
	Leader
	Keeper
}

// State is what a log holds.
type State struct {
	// First and Last are the positions of the oldest and the newest message. In an empty log First is
	// the position of the next message, and Last is one less.
	First, Last uint64
	// Bytes are what the messages take, with everything stored for them, MaxBytes what they may take;
	// 0: there is no bound.
	Bytes, MaxBytes uint64
	// Time is the time of the leader's clock; zero if it is not known.
	Time time.Time
}

// Fill is the part of its room that the log takes, from 0 to 1; 0 if there is no bound.
func (s State) Fill() float64 {
	if s.MaxBytes == 0 {
		return 0
	}
	return float64(s.Bytes) / float64(s.MaxBytes)
}

// What an Append may give instead of a position.
var (
	// ErrRefused says that the member's last message was not at the expected position, as the server
	// that replied sees it.
	ErrRefused = errors.New("journal: another message was expected")
	// ErrFull says that the log has no room now.
	ErrFull = errors.New("journal: the log is full")
	// ErrPermanent says that nothing was stored, and that the same append will be refused until
	// settings change.
	ErrPermanent = errors.New("journal: the log does not take this")
	// ErrSmall says that messages that the log must accept are refused as too long.
	ErrSmall = errors.New("journal: the limit of a message's size is too small")
	// ErrNoLog says that there is no log: it was not made yet, or was deleted.
	ErrNoLog = errors.New("journal: there is no log")
)

// Times of a writer and of a reader.
const (
	ackWait  = 500 * time.Millisecond // for an acknowledgement, and for an answer of the leader
	minPause = 50 * time.Millisecond  // before something is tried again; doubled each time
	maxPause = time.Second
)
