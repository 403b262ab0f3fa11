// A record that a fleet shares: how it is read and written, and how a write may fail.

// Package record keeps small records that the processes of a fleet share, each under a name. They
// are changed by compare and swap: a write says which sequence it follows, and is refused if
// another write came in between.
//
//	Get ──► edit ──► Put at that sequence ──► written
//	 ▲                 │
//	 └── ErrConflict ◄─┘
//
// [Change] goes around this circle a bounded number of times. [Stream] keeps the records in a
// JetStream stream with one message for each subject, [Memory] keeps them in this process. The
// package does not look into a record.
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

// Store keeps records. It may be used by many at once.
type Store interface {
	// Get reads the newest record; one with Seq 0 where there is none. It may lag behind a Put by a
	// moment, and for as long as a cluster has no leader.
	Get(ctx context.Context, name string) (Record, error)
	// Put writes the record if its sequence is still the expected one, 0 where there is none, and
	// gives its new sequence. After one of the errors below nothing was written. Any other error,
	// that of ctx too, leaves open whether it was.
	Put(ctx context.Context, name string, data []byte, expect uint64) (seq uint64, err error)
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
