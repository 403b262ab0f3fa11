// Arrivals: by what a submitted message is known when it comes again.

package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"protocolq/worker/journal"
)

// stored is where a message lies in its stream, and since when by the server's clock.
type stored struct {
	sequence uint64
	at       time.Time
}

// token is the identity of what the stream delivers again. The time is in it as a stream that was
// made anew counts from 1.
func (s stored) token() string {
	return strconv.FormatUint(s.sequence, 10) + "-" + strconv.FormatInt(s.at.UnixNano(), 10)
}

// sameFor is for how long a message id stands for the same bytes. A token is known for longer
// after its ask has ended, so that no token is ever that of two asks.
const sameFor = 10 * time.Minute

// tokensOf is the identity of what its sender stores again under the message id msgID: the same
// bytes on the same subject, hence of the same asker where that names it. The server compares the
// id alone, so that whoever guesses another's id can take its place for the window of the stream,
// which is as short as a server allows.
//
// Time is cut into pieces of sameFor, each with tokens of its own. What lies in two of them and is
// the same is found by near.
func (s stored) tokensOf(subject, msgID string, body []byte) (token string, near journal.Near) {
	all := make([]byte, 0, 64+len(subject)+len(msgID)+len(body))
	of := func(piece int64) journal.Hash {
		all = all[:0]
		for _, part := range [...]string{strconv.FormatInt(piece, 10), subject, msgID} {
			all = append(binary.BigEndian.AppendUint64(all, uint64(len(part))), part...)
		}
		all = append(binary.BigEndian.AppendUint64(all, uint64(len(body))), body...)
		sum := sha256.Sum256(all)
		return journal.Hash(sum[:16])
	}
	piece, into := s.at.UnixNano()/int64(sameFor), time.Duration(s.at.UnixNano()%int64(sameFor))
	return journal.TokenOf(of(piece)),
		journal.Near{Earlier: of(piece - 1), Later: of(piece + 1), Into: into.Truncate(time.Millisecond)}
}
