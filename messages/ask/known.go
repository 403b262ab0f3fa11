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

// end keeps that the function is done with a message, or that it is to have it again.
func (k *known) end(id identity, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !ok {
		delete(k.state, id)
		return
	}
	k.state[id] = done
	if len(k.done) < mostKnown {
		k.done = append(k.done, id)
		return
	}
	delete(k.state, k.done[k.next])
	k.done[k.next] = id
	k.next = (k.next + 1) % mostKnown
}
