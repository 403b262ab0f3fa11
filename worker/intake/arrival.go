// Arrivals: how a submitted message is recognised when it comes again.

package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"protocolq/worker/journal"
)

// stored is where a message is in its stream, and since when by the server's clock.
type stored struct {
	sequence uint64
	at       time.Time
}

// token is the identity of a message that the stream may deliver again. It includes the time,
// because a stream that was made again counts from 1.
func (s stored) token() string {
	return strconv.FormatUint(s.sequence, 10) + "-" + strconv.FormatInt(s.at.UnixNano(), 10)
}

// sameFor is for how long a message id stands for the same bytes. A token is known for longer after
// its ask has ended, so that no token ever belongs to two asks.
const sameFor = 10 * time.Minute

// tokensOf is the identity of a message that its sender may store again under the message id msgID:
// the same bytes on the same subject, and so from the same asker if the subject names it. The
// server compares only the id. So an asker that guesses another's id can take its place for the
// window of the stream, which is as short as a server allows.
//
// Time is divided into pieces of sameFor, each with its own tokens. near finds the same message in
// two of them.
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
