// Doubt: a message that one replica left out, or gave damaged, is read at the leader before that
// counts.

package journal

import (
	"context"
	"errors"
	"fmt"
)

// errNoLeader says that the leader could not be asked: what it has is still open.
var errNoLeader = errors.New("journal: what a replica gave is in doubt, and the leader does not answer")

// sure makes sure of the next message that a replica gave. A server leaves out what is damaged on
// its disk, as if it were purged, and each worker reads from the server next to it: the leader may
// have what lies before, which is applied, and the message itself undamaged.
func (r *Reader) sure(ctx context.Context, m Message, d *decoded) error {
	for at := r.Position(); m.Position > at+1 && at > 0; at = r.Position() {
		left, err := r.atLeader(ctx, at+1)
		if err != nil {
			return err
		}
		if left.Position == 0 {
			return fmt.Errorf("%w: position %d follows %d", ErrPurged, m.Position, at)
		}
		if err := r.apply(left, decode(left)); err != nil {
			return err
		}
	}
	if !errors.Is(d.err, ErrCorrupt) {
		return nil
	}
	again, err := r.atLeader(ctx, m.Position)
	if again.Position != 0 {
		*d = decode(again)
	}
	return err
}

// atLeader is the message at a position as the leader has it; a zero Position says that there is
// none, or nobody to ask.
func (r *Reader) atLeader(ctx context.Context, position uint64) (Message, error) {
	if r.o.Leader == nil {
		return Message{}, nil
	}
	wait, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	m, err := r.o.Leader.AtLeader(wait, position)
	if err != nil && ctx.Err() == nil {
		return Message{}, fmt.Errorf("%w: %w", errNoLeader, err)
	}
	r.unsure.over()
	return m, err
}
