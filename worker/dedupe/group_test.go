// A key's life over several processes, in exact times.

package dedupe_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/dedupe"
)

// bubble runs body with a fleet of n in a bubble of its own time, and checks
// that closing leaves nothing behind.
func bubble(t *testing.T, n int, o dedupe.Options, body func(f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, n, o)
		body(f)
		f.close()
	})
}

func TestOneRunAnswersAll(t *testing.T) {
	bubble(t, 3, dedupe.Options{}, func(f *fleet) {
		first := f.ask(0, "k")
		settle(0)
		var rest []*told
		for i := range 999 {
			rest = append(rest, f.ask(i%3, "k"))
		}
		settle(2 * time.Second)
		f.want(first, dedupe.Answered, "answer 1", dedupe.Asked, time.Second)
		for _, got := range rest {
			f.want(got, dedupe.Answered, "answer 1", dedupe.Joined, time.Second)
		}
		if f.made() != 1 {
			f.t.Errorf("%d runs, want 1", f.made())
		}
		if got := f.store.phases(); !slices.Equal(got, []string{"running", "done"}) {
			f.t.Errorf("stored %v", got)
		}
		if n := f.groups[1].Parked(); n != 0 {
			f.t.Errorf("%d asks still parked", n)
		}
	})
}

// An ask may be handed in again, here or elsewhere, as one that is delivered again: its run stays its own.
func TestOneAskHandedInTwice(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		id := func(a *dedupe.Ask[string]) { a.ID = "twice" }
		early := f.ask(0, "k", id)
		settle(0)
		here, there, other := f.ask(0, "k", id), f.ask(1, "k", id), f.ask(1, "k")
		settle(time.Second)
		f.want(early, dedupe.Answered, "answer 1", dedupe.Asked, time.Second)
		f.want(here, dedupe.Answered, "answer 1", dedupe.Asked, time.Second)
		f.want(there, dedupe.Answered, "answer 1", dedupe.Asked, time.Second)
		f.want(other, dedupe.Answered, "answer 1", dedupe.Joined, time.Second)
		settle(time.Second)
		f.want(f.ask(1, "k", id), dedupe.Answered, "answer 1", dedupe.Asked, 0)
		f.want(f.ask(1, "k"), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
	})
}

func TestRememberedUntilItsTimeEnds(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.ask(0, "k")
		settle(60 * time.Second) // done at 1 s, kept until 61 s
		f.want(f.ask(1, "k"), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
		settle(time.Second)
		again := f.ask(1, "k")
		settle(2 * time.Second)
		f.want(again, dedupe.Answered, "answer 2", dedupe.Asked, time.Second)
	})
}

// Changes may be lost: a parked key is read every two seconds.
func TestLostChangesArePolled(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.store.deaf = true
		f.ask(0, "k")
		settle(0)
		other := f.ask(1, "k")
		settle(5 * time.Second)
		f.mu.Lock()
		after := other.after
		f.mu.Unlock()
		if after < 2*time.Second || after > 2200*time.Millisecond || f.made() != 1 {
			f.t.Errorf("answered after %v with %d runs, want just after 2 s with 1", after, f.made())
		}
	})
}

func TestConflictMakesNoRun(t *testing.T) {
	other := func(a *dedupe.Ask[string]) { a.Question = []byte("another") }
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.ask(0, "k")
		settle(0)
		f.want(f.ask(0, "k", other), dedupe.Conflict, "", 0, 0)
		f.want(f.ask(1, "k", other), dedupe.Conflict, "", 0, 0)
		settle(5 * time.Second)
		f.want(f.ask(1, "k", other), dedupe.Conflict, "", 0, 0)
		if f.made() != 1 {
			f.t.Errorf("%d runs, want 1", f.made())
		}
	})
}

// ghost puts a running record of a process that is not there.
func (f *fleet) ghost(key string, deaths int) {
	_, err := f.store.Put(context.Background(), key, &dedupe.Record{Phase: dedupe.Running, Run: "ghost", Owner: "gone",
		Attempt: 1, LeaseMs: 12000, Question: []byte("question"), Deaths: deaths}, dedupe.Terms{TTL: time.Hour})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestTakeover(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.ghost("k", 0)
		got := f.ask(0, "k")
		settle(20 * time.Second)
		// lease 12 s, grace 2 s, work 1 s
		f.want(got, dedupe.Answered, "answer 1", dedupe.Asked, 15*time.Second)
		if want := []string{"running", "suspect", "running", "done"}; !slices.Equal(f.store.phases(), want) {
			f.t.Errorf("stored %v, want %v", f.store.phases(), want)
		}
	})
}

func TestAfterCrashFail(t *testing.T) {
	bubble(t, 2, dedupe.Options{AfterCrash: dedupe.Fail}, func(f *fleet) {
		f.ghost("k", 0)
		first, second := f.ask(0, "k"), f.ask(1, "k")
		redelivered := time.Now()
		settle(14 * time.Second)
		f.want(first, dedupe.Answered, "gave up ghost after 1", dedupe.Joined, 14*time.Second)
		f.want(second, dedupe.Answered, "gave up ghost after 1", dedupe.Joined, 14*time.Second)
		settle(time.Second)
		late := f.ask(1, "k", func(a *dedupe.Ask[string]) { a.Stored = redelivered })
		f.want(late, dedupe.Answered, "gave up ghost after 1", dedupe.Joined, 0)
		if f.made() != 0 {
			f.t.Errorf("%d runs, want none", f.made())
		}
		anew := f.ask(1, "k")
		settle(2 * time.Second)
		f.want(anew, dedupe.Answered, "answer 1", dedupe.Asked, time.Second)
	})
}

func TestThirdDeathGivesUp(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		f.ghost("k", 2)
		got := f.ask(0, "k")
		settle(14 * time.Second)
		f.want(got, dedupe.Answered, "gave up ghost after 3", dedupe.Joined, 14*time.Second)
		f.want(f.ask(0, "k"), dedupe.Answered, "gave up ghost after 3", dedupe.Remembered, 0)
		if got.Deaths != 3 || f.made() != 0 {
			f.t.Errorf("deaths %d, runs %d; want 3 and none", got.Deaths, f.made())
		}
	})
}

// A holder that comes back within the grace stores its answer over suspect.
func TestSuspectHolderMayStore(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.work = func(ctx context.Context, _ *dedupe.Lease, n int) (dedupe.Outcome, error) {
			return dedupe.Outcome{Answer: []byte("late"), Keep: time.Minute}, wait(ctx, 13*time.Second)
		}
		holder := f.ask(0, "k")
		settle(0)
		other := f.ask(1, "k")
		settle(20 * time.Second)
		f.want(holder, dedupe.Answered, "late", dedupe.Asked, 13*time.Second)
		f.want(other, dedupe.Answered, "late", dedupe.Joined, 13*time.Second)
		if f.made() != 1 {
			f.t.Errorf("%d runs, want 1", f.made())
		}
	})
}

// A holder that comes back after the takeover changes nothing.
func TestFencedHolder(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.work = func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error) {
			if n == 1 {
				err := wait(ctx, 14500*time.Millisecond)
				if !errors.Is(l.Check(), dedupe.ErrLapsed) {
					f.t.Error("the lease of a frozen holder has not lapsed")
				}
				return dedupe.Outcome{Answer: []byte("zombie"), Keep: time.Minute}, err
			}
			return dedupe.Outcome{Answer: []byte("true"), Keep: time.Minute}, wait(ctx, time.Second)
		}
		holder := f.ask(0, "k")
		settle(0)
		other := f.ask(1, "k")
		settle(20 * time.Second)
		f.want(other, dedupe.Answered, "true", dedupe.Asked, 15*time.Second)
		if holder.count != 1 || string(holder.Answer) != "true" || f.groups[0].Stats().Fenced.Load() != 1 {
			f.t.Errorf("the fenced holder's asker was told %q, fenced %d", holder.Answer, f.groups[0].Stats().Fenced.Load())
		}
	})
}

func TestRenewKeepsTheKey(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.work = func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error) {
			for attempt := 2; attempt <= 4; attempt++ {
				if err := wait(ctx, 10*time.Second); err != nil {
					return dedupe.Outcome{}, err
				}
				if err := l.Renew(ctx, attempt, []byte("tried")); err != nil {
					return dedupe.Outcome{}, err
				}
			}
			return dedupe.Outcome{Answer: []byte("fourth"), Keep: time.Minute}, wait(ctx, time.Second)
		}
		holder := f.ask(0, "k")
		settle(0)
		other := f.ask(1, "k")
		settle(40 * time.Second)
		f.want(holder, dedupe.Answered, "fourth", dedupe.Asked, 31*time.Second)
		f.want(other, dedupe.Answered, "fourth", dedupe.Joined, 31*time.Second)
		if want := []string{"running", "running", "running", "running", "done"}; !slices.Equal(f.store.phases(), want) {
			f.t.Errorf("stored %v, want %v", f.store.phases(), want)
		}
	})
}

// A lost acknowledgement is no verdict: the record is read, and our own run in it is ours.
func TestLostAcknowledgements(t *testing.T) {
	for _, phase := range []dedupe.Phase{dedupe.Running, dedupe.Done} {
		t.Run(string(phase), func(t *testing.T) {
			bubble(t, 2, dedupe.Options{}, func(f *fleet) {
				once := false
				f.store.lose = func(rec *dedupe.Record) bool {
					lost := rec.Phase == phase && !once
					once = once || lost
					return lost
				}
				got := f.ask(0, "k")
				settle(5 * time.Second)
				f.mu.Lock()
				defer f.mu.Unlock()
				if string(got.Answer) != "answer 1" || got.count != 1 || f.runs != 1 {
					f.t.Errorf("told %q %d times with %d runs, want answer 1, once, 1 run", got.Answer, got.count, f.runs)
				}
			})
		})
	}
}

// The store is away for longer than a lease after the call: the holder keeps
// trying, and its answer is stored without a second run.
func TestStoreAwayAfterTheCall(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		away := false
		f.store.before = func(*dedupe.Record) error {
			if away {
				return errLost
			}
			return nil
		}
		got := f.ask(0, "k")
		settle(500 * time.Millisecond)
		f.store.mu.Lock()
		away = true
		f.store.mu.Unlock()
		settle(30 * time.Second)
		f.store.mu.Lock()
		away = false
		f.store.mu.Unlock()
		settle(time.Second)
		if string(got.Answer) != "answer 1" || got.Source != dedupe.Asked || f.made() != 1 {
			f.t.Errorf("told %q source %d with %d runs", got.Answer, got.Source, f.made())
		}
	})
}

func TestPanicReleasesAndThirdGivesUp(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		f.work = func(context.Context, *dedupe.Lease, int) (dedupe.Outcome, error) { panic("boom") }
		got := f.ask(0, "k")
		settle(time.Second)
		if f.made() != 3 || got.Deaths != 3 || !got.Failed || got.count != 1 {
			f.t.Errorf("%d runs, told %+v; want 3 runs and given up after 3 deaths", f.made(), got.Verdict)
		}
	})
}
