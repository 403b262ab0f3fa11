// A log in memory that fails on purpose, on a synctest bubble's clock and the same way each time.

// Package journaltest is a log for tests: [Log] is the stream, a [Conn] one process's connection to
// it. [Faults] says what may go wrong between the two. Faults happen by a seeded choice at instants
// of the test's own clock (testing/synctest), so that a seed that fails once fails again.
package journaltest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"protocolq/worker/journal"
)

// Log is a stream of batches in memory. It is safe for concurrent use.
type Log struct {
	mu       sync.Mutex // guards what follows, and every Conn's fields
	seed     uint64
	messages []journal.Message // in their order
	next     uint64            // the next position
	bytes    int               // of the messages
	room     int               // bytes that may be stored; 0: no bound
	gone     bool              // the stream is deleted
	leader   bool
	clock    time.Duration // how far the leader's clock is off
	conns    []*Conn
	stored   func(journal.Message)
}

// New makes an empty log.
func New(seed uint64) *Log {
	return &Log{seed: seed, next: 1, leader: true}
}

// Faults are what goes wrong on a connection. The zero value is a connection without faults; each
// chance is from 0 to 1.
type Faults struct {
	// Delay is the longest time that each way of a request takes, and a followed message.
	Delay time.Duration
	// LoseRequest and LoseReply lose an append or a read on its way to the log, or its reply.
	LoseRequest, LoseReply float64
	// Refuse refuses a correct append, as a cluster does while another write is under way.
	Refuse float64
	// LoseFollowed loses a followed message; Late makes it come up to LateBy later, and Twice a second
	// time.
	LoseFollowed, Late, Twice float64
	LateBy                    time.Duration
	// Behind lets Next answer as the log was up to this many messages ago.
	Behind int
}

// Connect makes a connection.
func (l *Log) Connect(f Faults) *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	// its own source of chance: no other connection changes its choices
	c := &Conn{log: l, faults: f, rand: rand.New(rand.NewPCG(l.seed, uint64(len(l.conns))))}
	l.conns = append(l.conns, c)
	return c
}

// OnStored calls stored with each message at the moment it is stored, under the log's lock: for a
// test's own checks.
func (l *Log) OnStored(stored func(journal.Message)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored = stored
}

// SetLeader says whether there is a leader. Without one nothing is stored and the last message is
// not known.
func (l *Log) SetLeader(there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leader = there
}

// SetClock sets how far the leader's clock is off from now on; stored messages get its time.
func (l *Log) SetClock(off time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock = off
}

// SetRoom bounds the bytes that the log may hold; 0 removes the bound.
func (l *Log) SetRoom(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room = bytes
}

// Delete removes the stream.
func (l *Log) Delete() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone, l.next = true, 1
	l.keep(nil)
}

// Create makes the stream again after Delete.
func (l *Log) Create() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = false
}

// Restore sets the log back to when its newest message was at a position.
func (l *Log) Restore(position uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(l.messages[:l.from(position+1)])
	l.next = position + 1
}

// Replace makes the log hold these messages, as after a change of the leader.
func (l *Log) Replace(messages []journal.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(messages)
	l.next = 1
	if n := len(messages); n > 0 {
		l.next = messages[n-1].Position + 1
	}
}

// Corrupt changes a byte of the message at a position.
func (l *Log) Corrupt(position uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.messages[l.from(position)]
	m.Data = slices.Clone(m.Data)
	m.Data[len(m.Data)/2] ^= 1
}

// Messages are those that the log holds, in their order.
func (l *Log) Messages() []journal.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.messages)
}

// Size is how many bytes the log holds.
func (l *Log) Size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// keep makes the log hold these messages and no others. The caller holds mu.
func (l *Log) keep(messages []journal.Message) {
	l.messages, l.bytes = slices.Clone(messages), 0
	for _, m := range messages {
		l.bytes += len(m.Data)
	}
}

// from is the index of the first message at a position or after it.
func (l *Log) from(position uint64) int {
	i, _ := slices.BinarySearchFunc(l.messages, position, func(m journal.Message, p uint64) int {
		switch {
		case m.Position < p:
			return -1
		case m.Position > p:
			return 1
		}
		return 0
	})
	return i
}

// last is a member's newest message.
func (l *Log) last(of journal.Member) journal.Message {
	for _, m := range slices.Backward(l.messages) {
		if m.Member == of {
			return m
		}
	}
	return journal.Message{Member: of}
}

// append stores a message. The caller holds mu.
func (l *Log) append(a journal.Append) (uint64, error) {
	if l.room > 0 && l.bytes+len(a.Data) > l.room {
		return 0, journal.ErrFull
	}
	if l.last(a.Member).Position != a.Expect {
		return 0, journal.ErrRefused
	}
	m := journal.Message{Member: a.Member, Position: l.next, Stored: time.Now().Add(l.clock).UTC(),
		Data: slices.Clone(a.Data)}
	l.next++
	l.messages = append(l.messages, m)
	l.bytes += len(m.Data)
	if l.stored != nil {
		l.stored(m)
	}
	for _, c := range l.conns {
		c.publish(m)
	}
	return m.Position, nil
}
