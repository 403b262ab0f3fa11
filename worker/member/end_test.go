// How a member begins where it cannot, ends where it has nothing to end, and rests.

package member_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
	"protocolq/worker/member"
)

// A member that is told to leave before the log exists has nothing to wait for.
func TestLeaveBeforeTheLogIsThere(t *testing.T) {
	bubble(t, func(w *world) {
		w.log.Delete()
		x := w.begin("a")
		wait(10 * time.Second)
		begun := time.Now()
		x.leave()
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// An unavailable log delays no member beyond its time limit.
func TestLeaveWithoutALeader(t *testing.T) {
	bubble(t, func(w *world) {
		x := w.start("a")
		w.log.SetLeader(false)
		x.ask("t", 1)
		wait(time.Second)
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		x.Drain(ctx)
		x.Leave(ctx)
		x.cancel()
		<-x.done
		if took := time.Since(begun); took > 5*time.Second+time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// readLog is a log whose reads are counted, and fail while it is away.
type readLog struct {
	log
	reads *atomic.Int64
	away  *atomic.Bool
}

func (l readLog) Get(ctx context.Context, position uint64) (journal.Message, error) {
	l.reads.Add(1)
	if l.away.Load() {
		return journal.Message{}, errors.New("no server")
	}
	return l.log.Get(ctx, position)
}

// unheld has a member that holds no texts in memory read them from a log.
func unheld(l *readLog) func(o *member.Options) {
	return func(o *member.Options) {
		*l = readLog{log: o.Log.(log), reads: &atomic.Int64{}, away: &atomic.Bool{}}
		o.Log, o.Texts, o.Answers = *l, 1, 1
	}
}

// Doors may still ask for a remembered answer when a part of the member has failed and Run has
// returned: by then nothing is read any more.
func TestNoReadAfterTheEnd(t *testing.T) {
	bubble(t, func(w *world) {
		var l readLog
		a := w.start("a", unheld(&l))
		a.ask("t", 1)
		wait(time.Second)
		a.ask("u", 2)
		wait(time.Second)
		remembered := func() (reads int64) {
			before := l.reads.Load()
			a.Remembered(&journal.Ask{Key: journal.Key{1, 1}, Question: journal.Hash{1, 1}, MaxAge: -1})
			wait(5 * time.Second)
			return l.reads.Load() - before
		}
		if n := remembered(); n != 1 {
			t.Errorf("%d reads of an answer that is not in memory", n)
		}
		a.cancel()
		<-a.done
		if n := remembered(); n != 0 {
			t.Errorf("%d reads after the end", n)
		}
	})
}

// A fleet at rest writes nothing, and leaves at once.
func TestRest(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		a.ask("t", 1)
		b.ask("u", 2)
		wait(2 * time.Second)
		stored := len(w.log.Messages())
		wait(time.Hour)
		if n := len(w.log.Messages()); n != stored {
			t.Errorf("%d batches in an hour at rest", n-stored)
		}
		begun := time.Now()
		a.leave()
		if took := time.Since(begun); took > 200*time.Millisecond {
			t.Errorf("took %v to leave", took)
		}
		b.leave()
	})
}

// A forgotten person is gone from the log soon after Keep, in a fleet that does nothing else.
func TestForgotten(t *testing.T) {
	bubble(t, func(w *world) {
		w.what.Keep = 24 * time.Hour
		a, b := w.start("a"), w.start("b")
		person := func(e *journal.Ask) { e.Persons = [2]journal.Hash{{7}} }
		a.ask("t", 1, person)
		b.ask("u", 2)
		wait(time.Second)
		last := w.log.Messages()
		if err := b.Forget(journal.Hash{7}, func(err error) {
			if err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		wait(settings.Keep + 2*time.Minute)
		if left := w.log.Messages(); left[0].Position <= last[len(last)-1].Position {
			t.Errorf("the log begins at %d, and what is to be forgotten lies up to %d", left[0].Position, last[len(last)-1].Position)
		}
		for key, want := range map[byte]bool{1: false, 2: true} {
			if _, ok := a.Remembered(&journal.Ask{Key: journal.Key{key, key}, Question: journal.Hash{key, 1}, MaxAge: -1}); ok != want {
				wait(time.Second) // its text is read
				if _, ok = a.Remembered(&journal.Ask{Key: journal.Key{key, key}, Question: journal.Hash{key, 1}, MaxAge: -1}); ok != want {
					t.Errorf("key %d is remembered: %v", key, ok)
				}
			}
		}
		stored := len(w.log.Messages())
		wait(time.Hour)
		if n := len(w.log.Messages()); n != stored {
			t.Errorf("%d batches in an hour after it", n-stored)
		}
		a.leave()
		b.leave()
	})
}

// A forgotten person's answer is gone from every worker's memory at once. It is read once more to
// be copied without its text, and gone again when the log is purged.
func TestForgottenInMemory(t *testing.T) {
	bubble(t, func(w *world) {
		w.what.Keep = 24 * time.Hour
		workers := []*one{w.start("a"), w.start("b")}
		person := [2]journal.Hash{{7}}
		workers[0].ask("t", 1, func(e *journal.Ask) { e.Persons = person })
		wait(time.Second)
		var answered journal.Ref
		for _, m := range w.log.Messages() {
			if b, err := journal.Decode(m); err == nil {
				for i, e := range b.Entries {
					if e.Kind() == journal.KindAnswer {
						answered = b.Ref(i)
					}
				}
			}
		}
		again := &journal.Ask{Key: journal.Key{1, 1}, Question: journal.Hash{1, 1}, MaxAge: -1}
		check := func(when string, want bool) {
			t.Helper()
			for _, x := range workers {
				if _, ok := x.Remembered(again); ok != want || x.Cached(answered) != want {
					t.Errorf("%s: %s answers: %v, has the text: %v", when, x.name, ok, x.Cached(answered))
				}
			}
		}
		check("before", true)
		if err := workers[1].Forget(person[0], func(error) {}); err != nil {
			t.Fatal(err)
		}
		wait(100 * time.Millisecond)
		check("at once", false)
		workers[0].Remembered(again) // has it read
		wait(100 * time.Millisecond)
		if r, ok := workers[0].Remembered(again); ok {
			t.Errorf("the next asker is answered %q", r.Answer.Result)
		}
		wait(settings.Keep + 2*time.Minute)
		check("when the log is purged", false)
		for _, x := range workers {
			x.leave()
		}
	})
}

// A call for a person is under way while the person is forgotten: its answer is not remembered, and
// soon the log has its text no more.
func TestForgottenDuringTheCall(t *testing.T) {
	for _, class := range []flight.Class{flight.Answered, flight.Final} {
		bubble(t, func(w *world) {
			w.what = flight.Outcome{Class: class, Keep: 24 * time.Hour, Result: []byte("somebody's user_id")}
			if class == flight.Final {
				w.what.Keep = 0
			}
			w.took = 2 * time.Second
			a := w.start("a")
			a.ask("t", 1, func(e *journal.Ask) { e.Persons = [2]journal.Hash{{7}} })
			wait(500 * time.Millisecond)
			if err := a.Forget(journal.Hash{7}, func(error) {}); err != nil {
				t.Fatal(err)
			}
			wait(10 * time.Second)
			w.wantCalls(1)
			if r, ok := a.Remembered(&journal.Ask{Key: journal.Key{1, 1}, Question: journal.Hash{1, 1}, MaxAge: -1}); ok {
				t.Errorf("class %d: a door answers %q", class, r.Answer.Result)
			}
			wait(time.Hour)
			for _, m := range w.log.Messages() {
				if bytes.Contains(m.Data, w.what.Result) {
					t.Errorf("class %d: batch %d holds the text an hour later", class, m.Position)
				}
			}
			a.leave()
		})
	}
}

// An unreadable batch ends its member: the worker goes on as another, publishes the dead letter,
// and what is told afterwards is told.
func TestCorruptBatch(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		spoil := true
		w.log.OnStored(func(m journal.Message) {
			if d, err := journal.Decode(m); err == nil && m.Member == "a-2" && len(d.Entries) > 0 && spoil {
				spoil, m.Data[len(m.Data)-1] = false, m.Data[len(m.Data)-1]^1
			}
		})
		a.ask("spoilt", 1)
		wait(time.Second)
		for i := range 10 {
			a.ask(fmt.Sprintf("t%d", i), byte(10+i))
		}
		wait(30 * time.Second)
		for i := range 10 {
			w.wantReply(fmt.Sprintf("t%d", i), "yes")
		}
		w.wantReply("spoilt", "yes") // it is journalled again
		c := w.start("c")
		wait(10 * time.Second)
		w.mu.Lock()
		if w.corrupt["a"] != 1 || w.corrupt["b"] != 1 || w.corrupt["c"] != 0 {
			t.Errorf("dead letters by %v, want none by who came after it was told", w.corrupt)
		}
		w.mu.Unlock()
		for _, x := range []*one{a, b, c} {
			if held := x.Held(); held != "" {
				t.Errorf("%s holds %s", x.name, held)
			}
			w.mu.Lock()
			if len(x.known) > 0 {
				t.Errorf("outbox of %s knows %v", x.name, x.known)
			}
			w.mu.Unlock()
			x.leave()
		}
	})
}

// If an answer was told when its batch was acknowledged, and the batch is then unreadable, the
// answer is journalled again: there is no other call, and no other answer is told.
func TestCorruptAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		spoil := true
		w.log.OnStored(func(m journal.Message) {
			d, err := journal.Decode(m)
			if err != nil || !spoil {
				return
			}
			for _, e := range d.Entries {
				if e.Kind() == journal.KindAnswer && spoil {
					spoil, m.Data[len(m.Data)-1] = false, m.Data[len(m.Data)-1]^1
				}
			}
		})
		a.ask("first", 1)
		wait(time.Second)
		a.ask("again", 1)
		wait(30 * time.Second)
		if spoil {
			t.Error("no answer was spoilt")
		}
		w.wantCalls(1)
		w.wantReply("again", "yes")
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, r := range w.replies["first"] {
			if r.what != "yes" {
				t.Errorf("told %v", w.replies["first"])
			}
		}
		if len(w.runs) != 1 {
			t.Errorf("runs %v", w.runs)
		}
		_, _ = a, b
	})
}

// A batch of a later release ends its reader, with its seal: others go on at once.
func TestNewerBatch(t *testing.T) {
	bubble(t, func(w *world) {
		x := w.start("a")
		other := w.log.Connect(journaltest.Faults{})
		data, err := journal.Encode(1, 0, &journal.Told{Tokens: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Append(w.t.Context(), journal.Append{Member: "newer", Data: newer(data)}); err != nil {
			t.Fatal(err)
		}
		wait(time.Second)
		select {
		case <-x.done:
		default:
			t.Fatal("still runs")
		}
		if !errors.Is(x.err, journal.ErrNewer) {
			t.Errorf("ended with %v", x.err)
		}
		all := w.log.Messages()
		if b, err := journal.Decode(all[len(all)-1]); err != nil || b.Seal() == nil || b.Member != "a-2" {
			t.Errorf("last is %+v, %v", b, err)
		}
	})
}

// newer makes a batch one of a later format.
func newer(data []byte) []byte {
	data[0]++
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(data[1:], crc32.Update(crc32.Checksum(data[:1], table), table, data[5:]))
	return data
}
