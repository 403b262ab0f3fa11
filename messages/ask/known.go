// Which messages the caller's function has seen: it gets no message twice in one process.

package ask

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// identity is the same for all deliveries of one answer.
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

// mostKnown is how many finished messages are remembered: the last ones. Each takes some 60 bytes.
const mostKnown = 100_000

// known remembers messages. Its zero value remembers none.
type known struct {
	mu    sync.Mutex // guards the rest
	state map[identity]state
	done  []identity // a ring, once it is full
	next  int        // the oldest in it

	failed map[identity]int // errors of messages that are not finished
}

// state is what is known of a message. The zero value: nothing.
type state int

const (
	fresh state = iota
	busy        // the function has it
	done        // the function has finished it
)

// begin returns the state of a message. It notes that the function now has a fresh one: a call of
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

// again notes that the function must get a message again, and adds to the message's errors.
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
	clear(k.failed) // messages that others finished, or that are gone: the rest is counted anew
	k.failed[id] = errors
}

// failures is the number of errors of a message.
func (k *known) failures(id identity) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed[id]
}

// end notes that the function has finished a message.
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
