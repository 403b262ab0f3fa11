// Keeping the log: copies of its tail take as long as they take, and one that fits nowhere holds up
// nothing.

package member_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
	"protocolq/worker/member"
)

// slowLog is a log that takes a while to read, whose state is asked for, and whose batches may be
// so long; 0: as long as any.
type slowLog struct {
	*journaltest.Conn
	took  time.Duration
	limit int
	asked *atomic.Int64
}

func (l slowLog) Limit(context.Context) (int, error) { return l.limit, nil }

func (l slowLog) Get(ctx context.Context, position uint64) (journal.Message, error) {
	time.Sleep(l.took)
	return l.Conn.Get(ctx, position)
}

func (l slowLog) State(ctx context.Context) (journal.State, error) {
	if l.asked != nil {
		l.asked.Add(1)
	}
	return l.Conn.State(ctx)
}

// While a long tail is copied it is known all the same how full the log is.
func TestLongCopy(t *testing.T) {
	bubble(t, func(w *world) {
		w.what.Keep = time.Hour
		asked := &atomic.Int64{}
		a := w.start("a", func(o *member.Options) {
			o.Log, o.Texts, o.Tail = slowLog{o.Log.(log).Conn, 20 * time.Millisecond, 0, asked}, 1, 1<<40
		})
		for i := range 1500 {
			a.ask(fmt.Sprint("t", i), byte(i), func(a *journal.Ask) {
				a.Key[5], a.Key[6], a.Query = byte(i>>8), 1, bytes.Repeat([]byte("q"), 2000)
			})
		}
		wait(time.Second)
		for i := range 60 { // so that the answers are the tail
			a.ask(fmt.Sprint("u", i), 0, func(a *journal.Ask) { a.Key[6] = 1 })
			wait(time.Second)
		}
		a.kill()
		b := w.start("b", func(o *member.Options) {
			o.Log, o.Texts, o.Tail = slowLog{o.Log.(log).Conn, 20 * time.Millisecond, 0, asked}, 1, 1
		})
		before := asked.Load()
		wait(30 * time.Second) // for each of 1,500 copies 20 ms
		if n := asked.Load() - before; n < 3 {
			w.t.Errorf("how full the log is was asked %d times in 30 s", n)
		}
		b.leave()
	})
}

// An answer that fits into no batch any more, as batches have to be shorter now, is remembered no
// more, and the log is purged beyond it.
func TestCopyThatFitsNowhere(t *testing.T) {
	bubble(t, func(w *world) {
		w.what = flight.Outcome{Class: flight.Answered, Keep: time.Hour, Result: bytes.Repeat([]byte("x"), 8000)}
		a := w.start("a")
		a.ask("long", 1)
		wait(time.Second)
		w.what.Result = []byte("yes")
		a.ask("short", 2)
		wait(time.Second)
		a.kill()
		b := w.start("b", func(o *member.Options) { o.Log, o.Tail = slowLog{Conn: o.Log.(log).Conn, limit: 4000}, 1 })
		first := func() uint64 {
			st, err := b.conn.State(w.t.Context())
			if err != nil {
				w.t.Fatal(err)
			}
			return st.First
		}
		for i := range 100 { // the log's own time goes by batches
			b.ask(fmt.Sprint("t", i), byte(10+i))
			wait(10 * time.Second)
		}
		if first() < 10 {
			w.t.Errorf("the log still begins at %d", first())
		}
		w.wantCalls(102)
		b.ask("short again", 2)
		wait(time.Second)
		w.wantCalls(102)
		b.ask("long again", 1)
		wait(time.Second)
		w.wantCalls(103)
		w.wantReply("long again", "yes")
		b.leave()
	})
}
