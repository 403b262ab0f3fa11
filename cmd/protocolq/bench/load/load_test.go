// The schedule under a fake clock: a responder that stalls must show in the figures.
package load_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/cmd/protocolq/bench/load"
)

// run asks as o says. respond returns how long after its sending an ask is answered; below 0
// means never.
func run(ctx context.Context, o load.Options, respond func(n int64) time.Duration) *load.Result {
	var l *load.Load
	l = load.New(o, func(n int64) error {
		if d := respond(n); d >= 0 {
			time.AfterFunc(d, func() {
				l.Answered(n, load.Answer{Outcome: "signed", Source: "asked"})
				l.Answered(n, load.Answer{Outcome: "signed", Source: "asked"}) // a second answer is ignored
			})
		}
		return nil
	})
	return l.Run(ctx)
}

var usual = load.Options{Rate: 100, For: 10 * time.Second, Warm: time.Second, Timeout: 5 * time.Second, Outstanding: 10_000}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ticks := 0
		o := usual
		o.Tick = func(s load.Second) {
			if ticks++; s.N != ticks {
				t.Errorf("second %d told as %d", ticks, s.N)
			}
		}
		r := run(t.Context(), o, func(int64) time.Duration { return 3 * time.Millisecond })
		if r.Asked != 1000 || r.Answered != 1000 || r.Unanswered+r.Unsent+r.Outstanding != 0 || r.Outcomes["signed"] != 1000 || r.Sources["asked"] != 1000 {
			t.Errorf("%+v", r)
		}
		if l := r.Latency; l.P50 != 3000 && l.P50 != 3001 || l.Max > 3010 || l.P50 > l.P99 {
			t.Errorf("%+v", l)
		}
		if len(r.Each) != 10 || ticks != 10 || r.Each[4].Asked != 100 || r.RateSent != 100 {
			t.Errorf("%d seconds, %d told: %+v", len(r.Each), ticks, r)
		}
	})
}

// A responder stalls for two of ten seconds. A fifth of the asks were due in that time and
// waited up to two seconds, whether they were sent in time or had to wait for room. Latency
// counted from the sending would show only the few that had room.
func TestStallIsSeen(t *testing.T) {
	for _, outstanding := range []int{10_000, 10} {
		synctest.Test(t, func(t *testing.T) {
			o := usual
			o.Outstanding, o.Warm = outstanding, 0
			begin := time.Now()
			from, to := begin.Add(4*time.Second), begin.Add(6*time.Second)
			r := run(t.Context(), o, func(int64) time.Duration {
				if now := time.Now(); !now.Before(from) && now.Before(to) {
					return to.Sub(now)
				}
				return time.Millisecond
			})
			if r.Answered != 1000 {
				t.Fatalf("%+v", r)
			}
			// The slowest tenth of the asks waited one second or more, the slowest hundredth
			// 1.9 s or more.
			if l := r.Latency; l.P50 > 1100 || l.P90 < 900_000 || l.P90 > 1_100_000 || l.P99 < 1_850_000 || l.Max < 1_980_000 || l.Max > 2_010_000 {
				t.Errorf("outstanding %d: %+v", outstanding, l)
			}
			if late := r.Late.Max; (late > 1_000_000) != (outstanding == 10) {
				t.Errorf("outstanding %d: sent late %dus", outstanding, late)
			}
		})
	}
}

func TestGivenUpAndUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := usual
		o.Outstanding, o.Timeout = 50, 4*time.Second
		r := run(t.Context(), o, func(int64) time.Duration { return -1 })
		// Fifty asks are sent every four seconds: at 0 and 4 s those that were due in the
		// warm-up, at 8 s the first that are measured.
		if r.Answered != 0 || r.Asked != 50 || r.Unanswered != 50 || r.Errors[load.TimedOut] != 50 || r.Unsent != 950 {
			t.Errorf("%+v", r)
		}
		// The measured asks were due from 1 s to 11 s. The last 950 never had room; they had
		// waited until 12.5 s, when the last ask was given up.
		if l := r.Latency; l.P50 < 6_400_000 || l.P50 > 6_600_000 || l.P99 < 10_800_000 || l.Max > 11_100_000 {
			t.Errorf("%+v", r.Latency)
		}
	})
}

func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t.Context(), load.Options{For: 10 * time.Second, Timeout: time.Second, Outstanding: 7}, func(int64) time.Duration { return 10 * time.Millisecond })
		if r.Answered < 6990 || r.Answered > 7007 || r.Unsent != 0 || r.Latency.Max > 10_020 {
			t.Errorf("%+v", r)
		}
	})
}

func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		r := run(ctx, usual, func(n int64) time.Duration {
			if n < 400 {
				return time.Millisecond
			}
			return 2 * time.Second
		})
		if !r.Cut || r.Answered != 300 || r.Outstanding < 50 || r.Outstanding > 51 || r.Seconds != 3.5 || len(r.Each) != 3 || r.Unsent > 1 {
			t.Errorf("%+v", r)
		}
		time.Sleep(3 * time.Second) // the answers on their way arrive, and nothing follows
	})
}

// A send that fails counts as an ask without an answer, as slow as one that timed out. A closed
// loop does not spin on it.
func TestSendFails(t *testing.T) {
	for _, rate := range []float64{0, 100} {
		synctest.Test(t, func(t *testing.T) {
			sends := 0
			l := load.New(load.Options{Rate: rate, For: time.Second, Timeout: time.Second, Outstanding: 1}, func(int64) error {
				sends++
				return errors.New("away")
			})
			if r := l.Run(t.Context()); r.Errors["away"] != int64(sends) || sends == 0 || sends > 120 || r.Latency.P50 < 999_000 {
				t.Errorf("%d sends: %+v", sends, r)
			}
		})
	}
}

// An answer that comes after a run was cut changes nothing in the reported result.
func TestCutRunIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cut := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cut()
		var sent []int64
		l := load.New(load.Options{Rate: 2, For: time.Minute, Timeout: time.Hour, Outstanding: 100}, func(n int64) error { sent = append(sent, n); return nil })
		r := l.Run(ctx)
		if r.Outstanding != int64(len(sent)) || len(sent) == 0 {
			t.Fatalf("%d on their way, %d sent", r.Outstanding, len(sent))
		}
		for _, n := range sent {
			l.Answered(n, load.Answer{Outcome: "signed"})
		}
		if r.Answered != 0 || len(r.Outcomes) != 0 {
			t.Errorf("answered %d, outcomes %v after the end", r.Answered, r.Outcomes)
		}
	})
}
