// The loop of read, edit and write, with a bounded number of rounds.

package record

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"protocolq/worker/pause"
	"protocolq/worker/publish"
)

// Edit makes a record's next content from the last one, which is empty if there is no record. If it
// gives none, the record stays as it is. It is called again after another write came in between,
// and also after only the acknowledgement was lost; then it gets its own result.
type Edit func(last []byte) (next []byte, err error)

// Waits between two rounds of a Change. After a conflict the next round comes soon; without an
// answer it gives the server time.
const (
	rounds      = 8
	firstJitter = 5 * time.Millisecond // doubles up to 80 ms
	awayWait    = 500 * time.Millisecond
)

// Change reads the record, lets edit make its next content, and writes that, until no other write
// came in between: at most 8 times. An error of Get or edit, a store without room and a
// refusal for good end it at once.
func Change(ctx context.Context, s Store, name string, edit Edit) error {
	return change(ctx, s, name, func(last Record) ([]byte, error) { return edit(last.Data) })
}

func change(ctx context.Context, s Store, name string, edit func(last Record) (next []byte, err error)) error {
	for round := 1; ; round++ {
		last, err := s.Get(ctx, name)
		if err != nil {
			return fmt.Errorf("change record %s: %w", name, err)
		}
		next, err := edit(last)
		if err != nil {
			return fmt.Errorf("change record %s: %w", name, err)
		}
		if len(next) == 0 {
			return nil
		}
		_, err = s.Put(ctx, name, next, last.Seq)
		if err == nil {
			return nil
		}
		if round == rounds || errors.Is(err, ErrFull) || publish.Permanent(err) {
			return fmt.Errorf("change record %s: %w", name, err)
		}
		if ended := pause.For(ctx, waitAfter(err, round)); ended != nil {
			return fmt.Errorf("change record %s: %w", name, errors.Join(ended, err))
		}
	}
}

// waitAfter is how long a Change waits after a failed round.
func waitAfter(err error, round int) time.Duration {
	if errors.Is(err, ErrConflict) {
		return time.Duration(rand.Int64N(int64(firstJitter << min(round-1, 4))))
	}
	return awayWait
}
