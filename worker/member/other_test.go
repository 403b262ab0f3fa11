// The log was replaced, and nobody has noticed it yet: what is at a place there is another's.

package member_test

import (
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/member"
)

// swap gives the entries of the log to another key and asker. Nothing follows it: it is noticed
// with the next batch.
func swap(t *testing.T, w *world) {
	t.Helper()
	all := w.log.Messages()
	for i, m := range all {
		b := decoded(t, m)
		for _, e := range b.Entries {
			switch e := e.(type) {
			case *journal.Ask:
				e.Key, e.Token, e.Query, e.Reply = journal.Key{99}, "other", []byte("other"), "_INBOX.other"
			case *journal.Answer:
				e.Key, e.Run, e.Result = journal.Key{99}, "other", []byte("other")
			}
		}
		data, err := journal.Encode(b.Number, b.Read, b.Entries...)
		if err != nil {
			t.Fatal(err)
		}
		all[i].Data = data
	}
	w.log.Replace(all)
}

// A door gives nobody another's answer.
func TestRememberedOfAnotherLog(t *testing.T) {
	bubble(t, func(w *world) {
		var l readLog
		a := w.start("a", unheld(&l), func(o *member.Options) { o.Answers = 1 << 20 })
		a.ask("t", 1)
		wait(time.Second)
		a.ask("u", 2) // in the place of which the texts of t are not held
		wait(time.Second)
		swap(t, w)
		for range 5 {
			if r, ok := a.Remembered(&journal.Ask{Key: journal.Key{1, 1}, Question: journal.Hash{1, 1}, MaxAge: -1}); ok && string(r.Answer.Result) != "yes" {
				t.Errorf("a door answers %q", r.Answer.Result)
			}
			wait(100 * time.Millisecond)
		}
		if l.reads.Load() == 0 {
			t.Error("nothing was read")
		}
		a.cancel()
		<-a.done
	})
}

// Nobody gets a reply to what another has asked.
func TestDutiesOfAnotherLog(t *testing.T) {
	bubble(t, func(w *world) {
		var l readLog
		w.what = flight.Outcome{Class: flight.Final, Code: "NO", Result: []byte("no")}
		a := w.start("a", unheld(&l))
		a.ask("t", 1, func(a *journal.Ask) { a.Door, a.Left = journal.Submit, 2*time.Second })
		wait(500 * time.Millisecond)
		a.ask("u", 3, func(a *journal.Ask) { a.Door = journal.Submit })
		wait(500 * time.Millisecond)
		l.away.Store(true)
		wait(1500 * time.Millisecond) // t's deadline has passed, and its text is not held
		swap(t, w)
		l.away.Store(false)
		wait(10 * time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if got := w.replies["other"]; len(got) > 0 {
			t.Errorf("another asker is told %v", got)
		}
		a.cancel()
	})
}
