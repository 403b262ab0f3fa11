// When the gateway is called again that has turned a call away, in exact times.

package worker

import (
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// A time that ends within the lease, and while somebody waits, is waited for in the run: the next
// attempt comes at its end, not a moment before, and finds the key still held.
func TestRunWaitsForRetryAfter(t *testing.T) {
	for _, part := range []string{"fault-429-after-10s-1", "fault-429-date-10s-1", "fault-503-after-10s-1", "fault-503-date-10s-1"} {
		t.Run(part, func(t *testing.T) {
			onStage(t, scenery{}, func(s *stage) {
				h := s.ask(0, part, 30*sec)
				pass(sec)
				other := s.ask(1, part, 30*sec)
				pass(20 * sec)
				if h.Outcome != messages.Signed || h.Attempts != 2 || h.after != 10*sec {
					t.Errorf("got %v", h)
				}
				if other.Outcome != messages.Signed || other.after != 9*sec || other.Run != h.Run {
					t.Errorf("the other worker's asker got %v", other)
				}
				s.wantCalls(0, 10*sec)
			})
		})
	}
}

// Each attempt may be turned away, and the waits are each one's own.
func TestRunWaitsForEachRetryAfter(t *testing.T) {
	onStage(t, scenery{}, func(s *stage) {
		h := s.ask(0, "fault-503-after-6s", 30*sec)
		pass(60 * sec)
		if h.Outcome != messages.Unknown || h.Code != "GATEWAY_HTTP_503" || h.after != 24*sec || h.Attempts != 5 || h.RetryAfterMs != 30_000 {
			t.Errorf("got %v", h)
		}
		s.wantCalls(0, 6*sec, 12*sec, 18*sec, 24*sec)
	})
}

// A time longer than the lease (10.5 s of it) or than anybody waits holds no slot and no key: all
// who wait get their answer at once, and no worker calls until it is over, not for a patient asker
// and not for a refresh.
func TestRetryAfterIsTheCoolDown(t *testing.T) {
	fresh := func(q *messages.Query) { q.MaxAgeMs = new(int64) }
	for name, c := range map[string]struct {
		part     string
		patience time.Duration
		rests    time.Duration
	}{
		"longer than the lease":       {"fault-503-after-100s-1", time.Hour, 100 * sec},
		"as long as the lease":        {"fault-503-after-11s-1", time.Hour, 30 * sec}, // the cool-down is longer
		"longer than anybody waits":   {"fault-503-after-9s-1", 5 * sec, 30 * sec},
		"as long as they wait":        {"fault-503-after-9s-1", 9 * sec, 30 * sec},
		"longer than both, as a date": {"fault-503-date-100s-1", 5 * sec, 100 * sec},
		"longer than the ceiling":     {"fault-503-date-24h-1", 5 * sec, 300 * sec},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenery{}, func(s *stage) {
				h := s.ask(0, c.part, c.patience)
				if h.Outcome != messages.Unknown || h.Code != "GATEWAY_HTTP_503" || !h.Retryable || h.after != 0 || h.Attempts != 1 || h.RetryAfterMs != c.rests.Milliseconds() {
					t.Errorf("got %v", h)
				}
				if n := s.workers[0].group.InFlight(); n != 0 {
					t.Error("its slot is held")
				}
				pass(c.rests - time.Millisecond)
				for i := range s.workers {
					if h := s.ask(i, c.part, time.Hour); h.Outcome != messages.Unknown || h.after != 0 || h.RetryAfterMs != 1 {
						t.Errorf("worker %d, just before its time, got %v", i, h)
					}
					if h := s.ask(i, c.part, time.Hour, fresh); h.Outcome != messages.Unknown || h.after != 0 {
						t.Errorf("worker %d, asked for a fresh answer, got %v", i, h)
					}
				}
				s.wantCalls(0)
				pass(time.Millisecond)
				if h := s.ask(1, c.part, time.Hour); h.Outcome != messages.Signed || h.after != 0 {
					t.Errorf("at its time got %v", h)
				}
				s.wantCalls(0, c.rests)
			})
		})
	}
}

// A remembered answer is still given while its refresh is turned away; who wants a fresher one
// waits.
func TestRefreshObeysRetryAfter(t *testing.T) {
	onStage(t, scenery{}, func(s *stage) {
		const part = "fault-503-after-40s-1"
		fresh := func(q *messages.Query) { q.MaxAgeMs = new(int64) }
		q := messages.Query{V: 1, Partner: onePartner, UserEmail: part + "@example.com"}
		question := q.Question()
		before, err := s.workers[0].outcome(&q, messages.Result{Outcome: messages.NotSigned}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.stores[0].Put(t.Context(), q.KeyToken(), &dedupe.Record{Phase: dedupe.Done, Run: "before", Question: question[:],
			Answer: before.Answer, KeepMs: 300_000}, dedupe.Terms{}); err != nil {
			t.Fatal(err)
		}
		pass(10 * sec)
		for range 2 {
			if h := s.ask(0, part, time.Hour, fresh); h.Outcome != messages.Unknown || h.RetryAfterMs != 40_000 {
				t.Errorf("the refresh got %v", h)
			}
			if h := s.ask(1, part, time.Hour); h.Outcome != messages.NotSigned || h.Run != "before" {
				t.Errorf("who accepts any age got %v", h)
			}
		}
		pass(40*sec - 1)
		if h := s.ask(1, part, time.Hour, fresh); h.Outcome != messages.Unknown {
			t.Errorf("just before its time got %v", h)
		}
		s.wantCalls(10 * sec)
		pass(1)
		if h := s.ask(1, part, time.Hour, fresh); h.Outcome != messages.Signed {
			t.Errorf("at its time got %v", h)
		}
		s.wantCalls(10*sec, 50*sec)
	})
}

// A worker that stops does not set a key free while the gateway wants to be left alone: not at the
// signal, and not when its grace ends during the wait. Another worker goes on at once only where
// the wait has ended in time.
func TestStoppedWorkerKeepsRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		latency, signal, grace time.Duration
		ends                   time.Duration // of the run
		gets                   messages.Outcome
		rests                  time.Duration // of the key, from then on
	}{
		"signal before the answer": {2 * sec, sec, time.Minute, 2 * sec, messages.Unknown, 30 * sec},
		"grace ends over the wait": {0, 2 * sec, 3 * sec, 5 * sec, messages.Unknown, 30 * sec},
		"the wait ends in time":    {0, 2 * sec, time.Minute, 9 * sec, messages.Signed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenery{latency: c.latency}, func(s *stage) {
				s.ask(0, "fault-503-after-9s-1", time.Minute)
				peer := s.ask(1, "fault-503-after-9s-1", time.Minute)
				pass(c.signal)
				s.stop(0, c.grace)
				if ended := time.Since(s.begun).Truncate(time.Microsecond); ended != c.ends {
					t.Errorf("stopped after %v, want %v", ended, c.ends)
				}
				pass(c.latency)
				if peer.Outcome != c.gets || peer.after < c.ends || peer.after > c.ends+c.latency || peer.RetryAfterMs != c.rests.Milliseconds() {
					t.Errorf("the other worker's asker got %v", peer)
				}
				if c.rests == 0 {
					s.wantCalls(0, c.ends)
					return
				}
				pass(c.rests - c.latency - 1)
				s.ask(1, "fault-503-after-9s-1", time.Minute)
				s.wantCalls(0)
				pass(1)
				s.ask(1, "fault-503-after-9s-1", time.Minute)
				pass(c.latency)
				s.wantCalls(0, c.ends+c.rests)
			})
		})
	}
}

// A holder that dies while it waits is followed a lease and the grace (14 s) after it last wrote,
// and its wait always ends before that: the next holder need not know of the Retry-After.
func TestDeathOverRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		part    string
		latency time.Duration
		heir    time.Duration // when it calls
	}{
		"within the lease of the claim": {"fault-503-after-9s-1", 0, 14 * sec},
		"within a lease renewed for it": {"fault-503-after-10s-1", 2 * sec, 16 * sec},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, scenery{latency: c.latency}, func(s *stage) {
				s.ask(0, c.part, time.Minute)
				peer := s.ask(1, c.part, time.Minute)
				pass(3 * sec)
				s.stores[0].cut.Store(true)
				pass(30 * sec)
				if peer.Outcome != messages.Signed || peer.after != c.heir+c.latency {
					t.Errorf("got %v", peer)
				}
				s.wantCalls(0, c.heir)
			})
		})
	}
}
