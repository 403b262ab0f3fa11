// A record that a fleet shares: what is read of it, on what terms it is written, and how a write
// may fail.

// Package record keeps small records that the processes of a fleet share, each under a name. A
// write says which sequence it follows and is refused when another write came between: compare and
// swap.
//
//	Get ──► edit ──► Put at that sequence ──► written
//	 ▲                 │
//	 └── ErrConflict ◄─┘
//
// [Change] walks this circle a bounded number of times. [Stream] keeps the records in a JetStream
// stream with one message per subject, [Memory] in this process. What is in a record is its owner's
// business.
package record

import (
	"context"
	"errors"
	"time"
)

// Record is a record as it was read, or as it has just become.
type Record struct {
	Name string
	Data []byte    // none where there is no record
	Seq  uint64    // 0: there is no record
	Time time.Time // when the server stored it; zero where there is no record
}

// Terms are those of a Put.
type Terms struct {
	Expect uint64        // the record's sequence must still be this; 0 creates it
	TTL    time.Duration // the server lets the record go after it, in whole seconds, rounded up; 0: never
	Within time.Duration // the Put gives up: an acknowledgement that is lost never comes; 0: 5 s
}

// Store keeps records. It may be used by many at once.
type Store interface {
	// Get reads the newest record; one with Seq 0 where there is none. It may lag behind a Put by a
	// moment, and for as long as a cluster has no leader.
	Get(ctx context.Context, name string) (Record, error)
	// Put writes the record on its terms and gives its new sequence. After one of the errors below
	// nothing was written. Any other error, that of ctx too, leaves open whether it was.
	Put(ctx context.Context, name string, data []byte, t Terms) (seq uint64, err error)
}

// Errors of a Put that wrote nothing.
var (
	// ErrConflict: the record has another sequence, or another write of it is under way. Read it
	// before concluding.
	ErrConflict = errors.New("record: it has changed meanwhile")
	// ErrFull: there is no room for it.
	ErrFull = errors.New("record: there is no room for it")
	// ErrAway: nobody keeps records at present, as while a cluster elects a leader.
	ErrAway = errors.New("record: nobody keeps it at present")
)

// patience bounds a Get or a Put that was given no end of its own.
const patience = 5 * time.Second
