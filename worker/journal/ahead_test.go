// Reading ahead, in the time of a bubble: what is asked early is never applied twice, nor for
// another message.

package journal_test

import (
	"errors"
	"testing"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// While one page is applied, the next one is asked for.
func TestNextPageIsAskedForAhead(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		hold := make(chan struct{})
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 3)
		d.mu.Lock()
		d.hold, d.asked = hold, nil
		d.mu.Unlock()
		wait(time.Second) // until the log is asked
		d.wantRead("1 at 1s")
		d.wantAsked("1 at 1s", "3 at 1s")
		close(hold)
		d.wantRead("2 at 1s", "3 at 1s")
		d.wantAsked()
	})
}

// A page with messages that were read, or with one twice: each message is decoded as itself.
func TestPageWithMessagesTwice(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 4)
		all := d.log.Messages()
		d.mu.Lock()
		d.answer = func(from uint64) ([]journal.Message, error) {
			if from == 4 {
				return all[3:], nil
			}
			return []journal.Message{all[0], all[1], all[1], all[0], all[2], all[3], all[2]}, nil
		}
		d.mu.Unlock()
		wait(time.Second)
		d.wantRead("1 at 1s", "2 at 1s", "3 at 1s", "4 at 1s")
	})
}

// A page asked for ahead is dropped if messages that came by themselves were applied meanwhile: it
// may be too old to have the newest one, which is asked for a second after the last progress.
func TestPageAheadThatIsTooOld(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		hold := make(chan struct{})
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 2)
		d.mu.Lock()
		d.hold = hold
		d.mu.Unlock()
		wait(time.Second) // message 1 is being applied, and the page after 2 has come
		d.conn.SetFaults(journaltest.Faults{})
		write(d.log, 1)
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 1)
		close(hold)
		d.wantRead("1 at 1s", "2 at 1s", "3 at 1s")
		wait(time.Second)
		d.wantRead("4 at 2s")
	})
}

// What is not applied ends the reader.
func TestApplyFails(t *testing.T) {
	mine := errors.New("mine")
	sit(t, 0, nil, func(d *desk) {
		d.mu.Lock()
		d.fail = mine
		d.mu.Unlock()
		write(d.log, 1)
		d.wantEnd(mine)
		if p := d.r.Position(); p != 0 {
			d.t.Errorf("position %d", p)
		}
	})
}

// An error while a page is applied ends the reader, and the request that it made ahead with it.
func TestErrorDuringAPage(t *testing.T) {
	fail := errors.New("no")
	sit(t, 0, nil, func(d *desk) {
		d.conn.SetFaults(journaltest.Faults{LoseFollowed: 1})
		write(d.log, 5)
		d.mu.Lock()
		d.fail, d.hang = fail, 5
		d.mu.Unlock()
		wait(time.Second)
		d.wantEnd(fail)
		d.wantRead("1 at 1s")
		if d.hung != 1 {
			t.Errorf("%d requests have ended, want that which was made ahead", d.hung)
		}
	})
}
