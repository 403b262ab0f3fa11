// What a 429 does to the other keys of its partner, in exact times.

package worker

import (
	"fmt"
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

func ofOther(q *messages.Query) { q.Partner = otherPartner }

// 429 is about all calls for the partner: the worker that gets one makes none, for any key, until
// the time is over.
func TestTooManyHoldsThePartner(t *testing.T) {
	onStage(t, scenery{}, func(s *stage) {
		if h := s.ask(0, "fault-429-after-60s-1", time.Hour); h.Code != "GATEWAY_HTTP_429" || h.RetryAfterMs != 60_000 {
			t.Errorf("got %v", h)
		}
		pass(10 * sec)
		if h := s.ask(0, "signed+a", time.Hour); h.kind != dedupe.Held || h.Code != messages.CoolingDown || h.RetryAfterMs != 50_000 || h.after != 0 {
			t.Errorf("of another key got %v", h)
		}
		s.wantCalls(0)
		for i, change := range []func(*messages.Query){ofOther, func(*messages.Query) {}} { // of another partner; of a worker that got no 429
			if h := s.ask(i, "signed+b", time.Hour, change); h.Outcome != messages.Signed || h.after != 0 {
				t.Errorf("%d: got %v", i, h)
			}
		}
		pass(50 * sec)
		if h := s.ask(0, "signed+a", time.Hour); h.Outcome != messages.Signed {
			t.Errorf("afterwards got %v", h)
		}
		s.wantCalls(0, 10*sec, 10*sec, 60*sec)
	})
}

// 503 is about one call: other keys are asked for.
func TestUnavailableHoldsTheKeyOnly(t *testing.T) {
	onStage(t, scenery{}, func(s *stage) {
		s.ask(0, "fault-503-after-60s-1", time.Hour)
		if h := s.ask(0, "signed+a", time.Hour); h.Outcome != messages.Signed || h.after != 0 {
			t.Errorf("got %v", h)
		}
	})
}

// A short hold is waited for, without a slot, and those who waited are let go over a tenth of it.
func TestShortHoldIsWaitedFor(t *testing.T) {
	onStage(t, scenery{slots: 20}, func(s *stage) {
		first := s.ask(0, "fault-429-after-5s-1", 30*sec)
		var rest []*received
		for i := range 50 {
			rest = append(rest, s.ask(0, fmt.Sprint("signed+", i), 30*sec))
		}
		left := s.ask(0, "signed+left", 3*sec)
		if n := s.workers[0].group.InFlight(); n != 1 {
			t.Errorf("%d slots are held, want the one of the first", n)
		}
		pass(20 * sec)
		if first.Outcome != messages.Signed || first.after != 5*sec {
			t.Errorf("the first got %v", first)
		}
		when := map[time.Duration]bool{}
		for _, h := range rest {
			if h.Outcome != messages.Signed || h.after < 5*sec || h.after > 5500*time.Millisecond {
				t.Errorf("got %v", h)
			}
			when[h.after] = true
		}
		if len(when) < 10 {
			t.Errorf("let go at %d times", len(when))
		}
		if left.kind != dedupe.Expired || left.after != 3*sec {
			t.Errorf("who left got %v", left)
		}
	})
}

// Who was admitted before and waits for a slot makes no call either, nor does a run between two
// attempts: it waits where its lease allows, else ends.
func TestHoldReachesThoseUnderWay(t *testing.T) {
	onStage(t, scenery{latency: sec}, func(s *stage) { // one slot
		s.ask(0, "fault-429-after-60s-1", time.Hour)
		queued := s.ask(0, "signed+queued", time.Hour)
		pass(sec)
		if queued.Code != messages.CoolingDown || queued.after != sec || queued.RetryAfterMs != 60_000 {
			t.Errorf("the queued one got %v", queued)
		}
		pass(20 * sec)
		s.wantCalls(0)
	})
	for part, c := range map[string]struct {
		outcome messages.Outcome
		after   time.Duration
		calls   []time.Duration
	}{
		"fault-429-after-5s-1":  {messages.Signed, 6 * sec, []time.Duration{0, sec, 6 * sec, 6 * sec}},
		"fault-429-after-60s-1": {messages.Unknown, 3 * sec, []time.Duration{0, sec}},
	} {
		onStage(t, scenery{slots: 2}, func(s *stage) {
			between := s.ask(0, "fault-503-after-3s-1", 30*sec)
			pass(sec)
			s.ask(0, part, 30*sec)
			pass(15 * sec)
			if between.Outcome != c.outcome || between.after != c.after {
				t.Errorf("%s: between two attempts got %v", part, between)
			}
			s.wantCalls(c.calls...)
		})
	}
}

// A hold that becomes longer while a run waits for its end is waited for to its new end, or ends
// the run.
func TestHoldMadeLonger(t *testing.T) {
	for longer, c := range map[time.Duration]struct {
		outcome messages.Outcome
		after   time.Duration
		calls   []time.Duration
	}{
		2 * sec: {messages.Signed, 4 * sec, []time.Duration{0, 0, 4 * sec, 4 * sec}},
		8 * sec: {messages.Unknown, 3 * sec, []time.Duration{0, 0}},
	} {
		onStage(t, scenery{slots: 2}, func(s *stage) {
			between := s.ask(0, "fault-503-after-1s-1", 30*sec)
			s.ask(0, "fault-429-after-3s-1", 30*sec)
			pass(2 * sec)
			s.workers[0].hold.set(onePartner, time.Now().Add(longer)) // as by the call of another key that is turned away now
			pass(15 * sec)
			if between.Outcome != c.outcome || between.after != c.after {
				t.Errorf("%s: told %v", longer, between)
			}
			s.wantCalls(c.calls...)
		})
	}
}
