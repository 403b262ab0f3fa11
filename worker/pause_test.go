// A pause of a whole fleet, on real servers: what happens to queries during it, and afterwards.

package worker_test

import (
	"testing"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/intake"
	"protocolq/worker/publish"
	"protocolq/worker/record"
)

// switches pauses the intake and resumes it like an operator.
func (f *fleet) switches(records *record.Stream, paused bool) {
	f.t.Helper()
	if err := intake.WritePause(f.t.Context(), records, intake.Pause{Paused: paused, By: "ops", Reason: "contract"}); err != nil {
		f.t.Fatal(err)
	}
}

func TestPause(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	workers := []*member{f.start(), f.start()}
	nc := f.connect("ops")
	records := worker.IntakeRecords(nc, publish.New(nc), f.names)
	all := func(paused bool) func() bool {
		return func() bool {
			for _, w := range workers {
				if w.Stats().Paused != paused {
					return false
				}
			}
			return true
		}
	}
	before := f.ask(messages.Query{UserEmail: email("signed", "before")})
	f.switches(records, true)
	within(t, "all know of the pause", all(true))
	workers = append(workers, f.start()) // one that begins in a pause keeps it
	if !all(true)() {
		t.Error("the new one does not know of the pause")
	}
	for range 9 {
		if r := f.ask(messages.Query{UserEmail: email("signed", "new")}); r.Outcome != messages.Unknown || r.Code != messages.Paused || r.RetryAfterMs == 0 || !r.Retryable {
			t.Errorf("new: %+v", r)
		}
		if r := f.ask(messages.Query{UserEmail: email("signed", "before")}); r.Run != before.Run || r.Source != messages.Remembered {
			t.Errorf("remembered: %+v", r)
		}
	}
	body, err := messages.Query{ID: "mine", UserEmail: email("signed", "submitted"), ReplyTo: f.names.ReplyOf("till")}.Encode(messages.JSON)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.js.Publish(t.Context(), f.names.Submit(), body); err != nil {
		t.Fatal(err)
	}
	submitted := func() int { return f.stored(messages.Submitted) }
	c, err := f.js.Consumer(t.Context(), f.names.Stream(messages.Submitted), messages.ConsumerSubmitted)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "nobody pulls", func() bool {
		info, err := c.Info(t.Context())
		return err == nil && info.NumWaiting == 0 // what a worker had just pulled was given back, and counts as delivered until somebody pulls again
	})
	if n := submitted(); n != 1 {
		t.Errorf("%d stay in the stream", n)
	}
	f.wantCalls(1)
	f.switches(records, false)
	within(t, "it is answered", func() bool { return f.stored(messages.Replies) == 1 && submitted() == 0 })
	within(t, "all know of its end", all(false))
	if r := f.ask(messages.Query{UserEmail: email("signed", "new")}); r.Outcome != messages.Signed {
		t.Errorf("after it: %+v", r)
	}
	f.wantCalls(3)
}

// A fleet whose stream lacks the record is open.
func TestNoIntakeRecord(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Fleet))
	if err != nil {
		t.Fatal(err)
	}
	narrow := s.CachedInfo().Config
	narrow.Subjects = narrow.Subjects[:1]
	if _, err := f.js.UpdateStream(t.Context(), narrow); err != nil {
		t.Fatal(err)
	}
	w := f.start()
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Outcome != messages.Signed || w.Stats().Paused {
		t.Errorf("%+v", r)
	}
}

// stored is how many messages a stream holds.
func (f *fleet) stored(k messages.Kind) int {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(k))
	if err != nil {
		f.t.Fatal(err)
	}
	return int(s.CachedInfo().State.Msgs)
}
