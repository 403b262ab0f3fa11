// Who owns a key: rendezvous hashing, by a pairwise order of the members.

package fleet

import (
	"crypto/sha256"
	"encoding/binary"

	"protocolq/worker/journal"
)

// Owner is the live member that decides about a key, "" if no member is live. Of any two members
// one ranks above the other for a key, whichever other members are live, so that a member that
// joins or leaves moves only its own keys. Between two members that have read different lengths of
// the log only a join can move a key, and for that the joiner waits, see [State.Complete].
func (s *State) Owner(k journal.Key) journal.Member {
	if m := s.owner(k); m != nil {
		return m.ID
	}
	return ""
}

func (s *State) owner(k journal.Key) (best *Member) {
	for _, m := range s.live {
		if best == nil || m.above(best, k) {
			best = m
		}
	}
	return best
}

// above reports whether m ranks above o for a key.
func (m *Member) above(o *Member, k journal.Key) bool {
	a, b := m.rank(k), o.rank(k)
	return a > b || a == b && m.ID > o.ID
}

// rank mixes a member with a key. Both are hash sums already, so a few multiplications are enough.
func (m *Member) rank(k journal.Key) uint64 {
	return mix(mix(m.seed^binary.LittleEndian.Uint64(k[:8])) ^ binary.LittleEndian.Uint64(k[8:]))
}

// mix is the finalizer of splitmix64: every bit of x changes half of the result's bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// seed is where a member's rank begins, the same in every process.
func seed(id journal.Member) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.LittleEndian.Uint64(sum[:8])
}
