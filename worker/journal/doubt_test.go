// One damaged server: its messages are left out or damaged, and the leader has them.

package journal_test

import (
	"context"
	"testing"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// replica is the server that a reader reads from. It spoils a message, or leaves it out.
type replica struct {
	*desk
	spoils  uint64
	leaves  bool
	follows bool // what it republishes is spoilt, too
}

func (r *replica) spoil(m journal.Message) (got journal.Message, ok bool) {
	if m.Position != r.spoils {
		return m, true
	}
	m.Data = append([]byte{}, m.Data...)
	m.Data[len(m.Data)-1] ^= 1
	return m, !r.leaves
}

// Follow implements [journal.Source].
func (r *replica) Follow(each func(journal.Message)) (func(), error) {
	return r.desk.Follow(func(m journal.Message) {
		if r.follows {
			m, _ = r.spoil(m)
		}
		each(m)
	})
}

// Next implements [journal.Source].
func (r *replica) Next(ctx context.Context, from uint64) (got []journal.Message, err error) {
	all, err := r.desk.Next(ctx, from)
	for _, m := range all {
		if m, ok := r.spoil(m); ok {
			got = append(got, m)
		}
	}
	return got, err
}

// A message that the server next to a reader has damaged on its disk is left out there, or given
// damaged. It is read at the leader.
func TestOneServerIsDamaged(t *testing.T) {
	for name, leaves := range map[string]bool{"leaves out": true, "gives damaged": false} {
		t.Run(name, func(t *testing.T) {
			sit(t, 0, func(l *journaltest.Log) { write(l, 5) }, func(d *desk) {
				d.wantRead("1 at 0s", "2 at 0s", "3 at 0s", "4 at 0s", "5 at 0s")
			}, func(d *desk, o *journal.ReaderOptions) {
				o.Source, o.Leader = &replica{desk: d, spoils: 3, leaves: leaves}, d.conn
			})
		})
	}
}

// A message that was damaged on its way to a reader is read again.
func TestDamagedOnItsWay(t *testing.T) {
	sit(t, 0, nil, func(d *desk) {
		write(d.log, 3)
		d.wantRead("1 at 0s", "2 at 0s", "3 at 0s")
	}, func(d *desk, o *journal.ReaderOptions) {
		o.Source, o.Leader = &replica{desk: d, spoils: 2, follows: true}, d.conn
	})
}

// What the leader has damaged, too, is corrupt; what it leaves out, too, is gone.
func TestTheLeaderIsDamagedToo(t *testing.T) {
	sit(t, 0, func(l *journaltest.Log) { write(l, 3); l.Corrupt(2) }, func(d *desk) {
		d.wantRead("1 at 0s", "2 at 0s corrupt", "3 at 0s")
	}, func(d *desk, o *journal.ReaderOptions) { o.Leader = d.conn })
	sit(t, 0, func(l *journaltest.Log) {
		write(l, 4)
		all := l.Messages()
		l.Replace(append(all[:2:2], all[3]))
	}, func(d *desk) {
		d.wantRead("1 at 0s", "2 at 0s")
		d.wantEnd(journal.ErrPurged)
	}, func(d *desk, o *journal.ReaderOptions) { o.Leader = d.conn })
}

// While no leader can be asked nothing is decided.
func TestNoLeaderForADoubt(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		sit(t, 0, func(l *journaltest.Log) { write(l, 5); l.SetLeader(false) }, func(d *desk) {
			wait(time.Minute)
			d.wantRead("1 at 0s", "2 at 0s")
			d.log.SetLeader(true)
			wait(5 * time.Second)
			if d.wantReads(3); d.r.Position() != 5 {
				t.Errorf("read up to %d", d.r.Position())
			}
		}, func(d *desk, o *journal.ReaderOptions) {
			o.Source, o.Leader = &replica{desk: d, spoils: 3, leaves: leaves}, d.conn
		})
	}
}

// wantReads looks how many batches were read, none of them corrupt.
func (d *desk) wantReads(n int) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.read) != n {
		d.t.Errorf("read %q, want %d", d.read, n)
	}
}
