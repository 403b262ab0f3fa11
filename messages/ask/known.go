// Which messages the caller's function has had: none is given to it twice in one process.

package ask

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// identity is what all deliveries of one answer have in common.
type identity [16]byte

func identityOf(parts ...string) (id identity) {
	var b []byte
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	return id
}

// mostKnown is how many messages are known that the function is done with: the last ones. Each
// takes some 60 bytes.
const mostKnown = 100_000

// known knows messages. Its zero value knows none.
type known struct {
	mu    sync.Mutex // guards what follows
	state map[identity]state
	done  []identity // a ring, once it is full
	next  int        // the oldest in it

	failed map[identity]int // errors of what is not done with
}

// state is what is known of a message. The zero value: nothing.
type state int

const (
	fresh state = iota
	busy        // the function has it
	done        // the function is done with it
)

// begin says what was known of a message. Of a fresh one it keeps that the function has it now:
// end must follow.
func (k *known) begin(id identity) state {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.state[id]
	if s == fresh {
		if k.state == nil {
			k.state = map[identity]state{}
		}
		k.state[id] = busy
	}
	return s
}

// again keeps that the function is to have a message again, and how many errors that adds to its.
func (k *known) again(id identity, errors int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.state, id)
	if errors == 0 {
		return
	}
	if k.failed == nil {
		k.failed = map[identity]int{}
	}
	if n, ok := k.failed[id]; ok || len(k.failed) < mostKnown {
		k.failed[id] = n + errors
		return
	}
	clear(k.failed) // messages that others were done with, or that are gone: what is left is counted anew
	k.failed[id] = errors
}

// failures is how many errors a message has cost.
func (k *known) failures(id identity) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed[id]
}

// end keeps that the function is done with a message.
func (k *known) end(id identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.failed, id)
	k.state[id] = done
	if len(k.done) < mostKnown {
		k.done = append(k.done, id)
		return
	}
	delete(k.state, k.done[k.next])
	k.done[k.next] = id
	k.next = (k.next + 1) % mostKnown
}
