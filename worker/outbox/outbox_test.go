// Duties are done whatever becomes of their sinks: at exact times, on a clock of the test's own.

package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
)

// Each sink goes away by itself, in each manner, for seconds and for minutes: all others have
// theirs at once, and nothing is lost.
func TestASinkAwayHoldsUpNobodyAndLosesNothing(t *testing.T) {
	back := map[time.Duration]time.Duration{ // when the first try after that comes: 50 ms, 100 ms, … 2 s after one another
		6 * time.Second:  7150 * time.Millisecond,
		12 * time.Minute: 721_150 * time.Millisecond,
	}
	for name := range (&stage{}).sinks() {
		for how, m := range map[string]manner{"gone": gone, "full": full, "silent": silent} {
			for away, first := range back {
				t.Run(fmt.Sprintf("%s %s for %s", name, how, away), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { sinkAway(t, name, m, away, first) })
				})
			}
		}
	}
}

func sinkAway(t *testing.T, name string, m manner, away, first time.Duration) {
	s := newStage(t)
	defer func() { s.end() }()
	s.sinks()[name].is(m)
	var duties []outbox.Duty
	const n = 300 // more than may be on their way to one stream
	for i := range n {
		answer := signed(t, "run")
		duties = append(duties, askOf(t, 10*i, "_INBOX.a."+fmt.Sprint(i), answer), askOf(t, 10*i+1, "protocol.reply.shop", answer), lateAsk(t, 10*i+2, ""), runOf(t, 10*i+3))
	}
	s.add(duties...)
	pass(time.Second)
	for other, sink := range s.sinks() {
		want := map[string]int{"inboxes": n, "replies": n, "events": n, "dead": n}[other]
		if got := sink.size(); other != name && other != "log" && got != want {
			t.Errorf("%s has %d after a second, want all %d", other, got, want)
		}
	}
	if got := s.sinks()[name].size(); got != 0 {
		t.Fatalf("%s took %d while it was away", name, got)
	}
	if s.box.Waiting() == 0 {
		t.Error("nothing waits")
	}
	pass(away - time.Second)
	s.sinks()[name].is(well)
	if most := 256 + 32 + 2*int(away/(2*time.Second)); name != "inboxes" && s.sinks()[name].tried() > most {
		t.Errorf("%s was tried %d times while it was away, at most %d are enough", name, s.sinks()[name].tried(), most)
	}
	switch {
	case m == silent: // a try takes 5 s
		pass(8 * time.Second)
	case name == "log": // tried by its publisher, which waits for more lines first
		pass(first - away + 100*time.Millisecond)
	default:
		pass(first - away - time.Nanosecond)
		if got := s.sinks()[name].size(); got != 0 {
			t.Errorf("%s was tried before its time: it has %d", name, got)
		}
		pass(time.Nanosecond)
	}
	if got := s.sinks()[name].size(); name != "log" && got != n {
		t.Errorf("%s has %d, want %d", name, got, n)
	}
	if w := s.box.Waiting(); w != 0 || s.finished() != len(duties) {
		t.Errorf("%d wait, %d are done of %d: %+v", w, s.finished(), len(duties), s.box.Stats())
	}
	lasts := away >= 10*time.Second || m == full // else it may be an election
	if got := s.said.count("not published"); name != "log" && ((got > 0) != lasts || got > 2+int(away/(30*time.Second))) {
		t.Errorf("said %d times that it is away", got)
	}
}

// An asker that does not read its replies fills its subject, and holds up no other.
func TestAFullSubjectHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.replies.fill("protocol.reply.lazy")
		answer := signed(t, "run")
		for i := range 2000 {
			s.add(askOf(t, i, "protocol.reply.lazy", answer))
		}
		pass(3 * time.Second)
		before := s.replies.tried()
		for i := range 2000 {
			s.add(askOf(t, 5000+i, fmt.Sprintf("protocol.reply.shop%d", i%7), answer))
		}
		if got := s.replies.size(); got != 2000 {
			t.Errorf("%d of 2000 have their replies at once", got)
		}
		pass(57 * time.Second)
		if got := s.replies.tried() - before - 2000; got > 30 {
			t.Errorf("the full subject was tried %d times in a minute", got)
		}
		if got := s.said.count("not published"); got < 1 || got > 2 {
			t.Errorf("said %d times", got)
		}
		s.replies.fill("")
		pass(4 * time.Second)
		if s.replies.size() != 4000 || s.box.Waiting() != 0 {
			t.Errorf("%d replies, %d wait", s.replies.size(), s.box.Waiting())
		}
	})
}

func TestALostAcknowledgementIsNoSecondMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.events.is(silent)
		s.add(runOf(t, 1))
		s.events.is(well)
		pass(5*time.Second + 49*time.Millisecond)
		if s.events.size() != 0 {
			t.Error("published again before the wait")
		}
		pass(time.Millisecond)
		if got := s.events.ids(); len(got) != 1 || got[0] != "run-1" || s.events.tried() != 2 {
			t.Errorf("events %v after %d tries", got, s.events.tried())
		}
		if at, ok := s.doneAt(ref(1)); !ok || at != 5050*time.Millisecond {
			t.Errorf("done at %v, %t", at, ok)
		}
		if got := s.said.count("not published"); got != 0 {
			t.Errorf("one lost acknowledgement was said: %v", s.said.lines)
		}
	})
}

func TestNobodyWaitsAtTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.inboxes.absent = map[string]bool{"_INBOX.a.1": true}
		s.add(askOf(t, 1, "_INBOX.a.1", signed(t, "run")), askOf(t, 2, "_INBOX.a.2", signed(t, "run")))
		pass(30 * time.Millisecond)
		if _, ok := s.doneAt(ref(2)); !ok {
			t.Error("an ask waits for another's asker")
		}
		pass(6170 * time.Millisecond) // sent again after 200 ms, 400 ms, … 3.2 s
		if at, ok := s.doneAt(ref(1)); !ok || at != 6200*time.Millisecond || s.inboxes.tried() != 7 {
			t.Errorf("done %t at %v after %d replies", ok, at, s.inboxes.tried())
		}
	})
}

func TestDrainWaitsForWhatIsOwedAndNotForSilentInboxes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.inboxes.absent = map[string]bool{"_INBOX.a.1": true}
		s.events.is(gone)
		s.add(askOf(t, 1, "_INBOX.a.1", signed(t, "run")), runOf(t, 2))
		pass(300 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
		defer cancel()
		if err := s.box.Drain(ctx); err == nil {
			t.Error("drained although an event waits")
		}
		if _, ok := s.doneAt(ref(1)); !ok {
			t.Error("a worker that ends waits for an asker that has left")
		}
		s.events.is(well)
		if err := s.box.Drain(t.Context()); err != nil || s.events.size() != 1 {
			t.Errorf("%v, %d events", err, s.events.size())
		}
	})
}

// Who has drained an outbox leaves: by then it has said of each duty that it is done.
func TestDrainedIsSaidToBeDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var box *outbox.Outbox
		s := newStage(t, func(o *outbox.Options) {
			done := o.Done
			o.Done = func(refs []journal.Ref) {
				if box.Waiting() == 0 {
					t.Error("nothing waits before the last duty is said to be done")
				}
				done(refs)
			}
		})
		defer s.end()
		box = s.box
		s.add(askOf(t, 1, "_INBOX.a.1", signed(t, "run")), runOf(t, 2))
		if err := box.Drain(t.Context()); err != nil || s.finished() != 2 {
			t.Errorf("%v, %d are done", err, s.finished())
		}
	})
}

func TestRoomIsBoundedAndNothingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(o *outbox.Options) { o.Limit = 3 })
		defer s.end()
		s.events.is(gone)
		s.add(runOf(t, 1), runOf(t, 2), runOf(t, 3))
		if s.box.Add(runOf(t, 4)) || !s.box.Full() || s.box.Waiting() != 3 {
			t.Errorf("a fourth of three is taken; waiting %d", s.box.Waiting())
		}
		if !s.box.Add(runOf(t, 2)) {
			t.Error("one that is known needs no room")
		}
		s.events.is(well)
		pass(10 * time.Second)
		if s.box.Waiting() != 0 || s.events.size() != 3 {
			t.Errorf("%d wait, %d events", s.box.Waiting(), s.events.size())
		}
		if s.box.Add(runOf(t, 4)) { // done, and not told yet
			t.Error("what is done holds its place until the log has it told")
		}
		s.box.Told(ref(1), ref(2), ref(3))
		s.add(runOf(t, 4))
		pass(time.Second)
		if got := s.events.ids(); strings.Join(got, " ") != "run-1 run-2 run-3 run-4" || s.events.tried() > 20 {
			t.Errorf("events %v after %d tries", got, s.events.tried())
		}
	})
}

// A subject that no server takes is refused here: it would never be acknowledged, and hold up all
// others.
// What another has told is not published any more, and what is done is not published twice when it
// is given again.
func TestToldIsNotToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.add(runOf(t, 1))
		pass(time.Second)
		delete(s.done, ref(1)) // the batch that had it told is lost with its member
		s.add(runOf(t, 1))
		if _, again := s.doneAt(ref(1)); !again {
			t.Error("what is done and given again is not said to be done: it would never be told")
		}
		if s.events.tried() != 1 {
			t.Errorf("published %d times", s.events.tried())
		}
		s.events.is(gone)
		s.add(runOf(t, 2), runOf(t, 3))
		pass(time.Second)
		s.box.Told(ref(2), ref(77))
		if s.box.Waiting() != 1 {
			t.Errorf("%d wait", s.box.Waiting())
		}
		s.events.is(well)
		pass(10 * time.Second)
		if got := strings.Join(s.events.ids(), " "); got != "run-1 run-3" {
			t.Errorf("events %s", got)
		}
		if _, done := s.doneAt(ref(2)); done || s.box.Waiting() != 0 {
			t.Errorf("done by another and by us, too; %d wait", s.box.Waiting())
		}
	})
}

// A duty whose reply is refused is not done before its dead letter is stored.
// A log that was made anew has other entries at the same places: what is owed because of them is
// published, and what the former one owed is, too.
func TestAnotherLogHasOtherEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.add(runOf(t, 1))
		pass(time.Second)
		s.events.is(gone)
		s.add(runOf(t, 2))
		pass(time.Second)
		delete(s.done, ref(1))
		s.box.Disown()
		pass(time.Second)
		if _, done := s.doneAt(ref(1)); done {
			t.Error("an entry of the former log is said to be done")
		}
		for n, place := range map[int]int{3: 1, 4: 2} {
			d := runOf(t, n)
			d.Entry = ref(place)
			s.add(d)
		}
		s.events.is(well)
		pass(10 * time.Second)
		if got := strings.Join(s.events.ids(), " "); got != "run-1 run-2 run-3 run-4" {
			t.Errorf("events %s", got)
		}
		for _, n := range []int{1, 2} {
			if _, done := s.doneAt(ref(n)); !done {
				t.Errorf("entry %d of the new log is not done", n)
			}
		}
		if s.box.Waiting() != 0 {
			t.Errorf("%d wait", s.box.Waiting())
		}
	})
}

// What is published again says what it said before, also about when it was made.
func TestEveryTryIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.replies.is(gone)
		pass(time.Hour)
		made := time.Now().UnixMilli()
		s.add(askOf(t, 1, "protocol.reply.shop", signed(t, "run")))
		pass(12 * time.Minute)
		s.replies.is(well)
		pass(2 * time.Second)
		r, _, err := messages.DecodeResult(s.replies.has()[0].Data, "")
		if err != nil || r.AnsweredAtMs != made {
			t.Errorf("answered at %d, want %d: %v", r.AnsweredAtMs, made, err)
		}
	})
}

// A run without a call owes nothing, and an unreadable duty is done as well as possible.
func TestNothingOwedIsDoneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		released := runOf(t, 1)
		released.Run.Answer.Verdict = journal.Released
		s.add(released)
		if at, ok := s.doneAt(ref(1)); !ok || at != 0 || s.events.tried()+s.log.tried() != 0 {
			t.Errorf("done %t at %v, %d events", ok, at, s.events.tried())
		}
		bad := askOf(t, 2, "_INBOX.a.1", &journal.Answer{Run: "run-2", Verdict: journal.Conclusive, Result: []byte("?")})
		bad.Ask.Ask.Query = []byte("?")
		s.add(bad)
		pass(time.Second)
		replies := s.inboxes.has()
		if len(replies) != 1 {
			t.Fatal("no reply")
		}
		r, _, err := messages.DecodeResult(replies[0].Data, "")
		if err != nil || r.Outcome != messages.Unknown || r.Code != messages.Crashed {
			t.Errorf("%+v, %v", r, err)
		}
		if s.said.count("entry not understood") != 1 {
			t.Errorf("%v", s.said.lines)
		}
	})
}
