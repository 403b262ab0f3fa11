// How old an answer may be, what a refresh does, and what ends an ask without an answer.

package dedupe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"protocolq/worker/dedupe"
)

func TestMaxAgeRefreshes(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.ask(0, "k")
		settle(11 * time.Second) // the answer is 10 s old
		f.want(f.ask(1, "k", maxAge(10*time.Second)), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
		refresh := f.ask(1, "k", maxAge(5*time.Second))
		settle(0)
		// Whoever accepts the old answer has it at once, also in the refresher's own process.
		f.want(f.ask(0, "k"), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
		f.want(f.ask(1, "k"), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
		joined := f.ask(0, "k", maxAge(0))
		settle(2 * time.Second)
		f.want(refresh, dedupe.Answered, "answer 2", dedupe.Asked, time.Second)
		f.want(joined, dedupe.Answered, "answer 2", dedupe.Joined, time.Second)
		if f.made() != 2 {
			f.t.Errorf("%d runs, want 2", f.made())
		}
	})
}

// A refresh that fails is told to refreshers only; the answer before it is
// served for its own time, and then the key is asked anew.
func TestFailedRefreshKeepsTheAnswer(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.work = func(_ context.Context, _ *dedupe.Lease, n int) (dedupe.Outcome, error) {
			if n == 2 {
				return dedupe.Outcome{Answer: []byte("unknown"), Keep: 10 * time.Second, Failed: true}, nil
			}
			return dedupe.Outcome{Answer: fmt.Appendf(nil, "answer %d", n), Keep: time.Minute}, nil
		}
		f.ask(0, "k")
		settle(30 * time.Second)
		refresh := f.ask(0, "k", maxAge(0))
		settle(0)
		f.want(refresh, dedupe.Answered, "unknown", dedupe.Asked, 0)
		f.want(f.ask(1, "k", maxAge(time.Second)), dedupe.Answered, "unknown", dedupe.Remembered, 0)
		f.want(f.ask(1, "k"), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
		settle(10 * time.Second) // the cool-down is over
		f.want(f.ask(1, "k"), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
		again := f.ask(1, "k", maxAge(time.Second))
		settle(0)
		f.want(again, dedupe.Answered, "answer 3", dedupe.Asked, 0)
	})
}

func TestCoolDown(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.work = func(context.Context, *dedupe.Lease, int) (dedupe.Outcome, error) {
			return dedupe.Outcome{Answer: []byte("unknown"), Keep: 30 * time.Second, Failed: true}, nil
		}
		f.ask(0, "k")
		settle(29 * time.Second)
		cooling := f.ask(1, "k", maxAge(0))
		f.want(cooling, dedupe.Answered, "unknown", dedupe.Remembered, 0)
		if left := time.Until(cooling.Until); !cooling.Failed || left != time.Second {
			f.t.Errorf("cool-down ends in %v, want 1 s", left)
		}
		settle(time.Second)
		f.ask(1, "k")
		settle(time.Second)
		if f.made() != 2 {
			f.t.Errorf("%d runs, want 2", f.made())
		}
	})
}

// Nobody asks for an asker who has left while all slots were taken.
func TestExpiredAskIsNotRun(t *testing.T) {
	bubble(t, 1, dedupe.Options{Slots: 1}, func(f *fleet) {
		f.work = func(ctx context.Context, _ *dedupe.Lease, n int) (dedupe.Outcome, error) {
			return dedupe.Outcome{Answer: []byte("slow"), Keep: time.Minute}, wait(ctx, 10*time.Second)
		}
		f.ask(0, "a")
		settle(0)
		left := f.ask(0, "b", func(a *dedupe.Ask[string]) { a.Until = a.Stored.Add(3 * time.Second) })
		stays := f.ask(0, "c")
		settle(30 * time.Second)
		f.want(left, dedupe.Expired, "", 0, 3*time.Second)
		f.want(stays, dedupe.Answered, "slow", dedupe.Asked, 20*time.Second)
		if f.made() != 2 {
			f.t.Errorf("%d runs, want 2", f.made())
		}
	})
}

func TestRefuseTellsOverloaded(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		f.ask(0, "done")
		settle(2 * time.Second)
		f.groups[0].Refuse(true)
		f.want(f.ask(0, "done"), dedupe.Answered, "answer 1", dedupe.Remembered, 0)
		refused := f.ask(0, "new")
		settle(0)
		f.want(refused, dedupe.Overloaded, "", 0, 0)
		f.groups[0].Refuse(false)
		again := f.ask(0, "new")
		settle(2 * time.Second)
		f.want(again, dedupe.Answered, "answer 2", dedupe.Asked, time.Second)
	})
}

func TestCloseFinishesRunsAndGivesBackTheRest(t *testing.T) {
	bubble(t, 2, dedupe.Options{Slots: 1}, func(f *fleet) {
		running := f.ask(0, "a")
		settle(0)
		queued := f.ask(0, "b")
		f.ghost("c", 0)
		parked := f.ask(0, "c")
		settle(0)
		if err := f.groups[0].Close(context.Background()); err != nil {
			f.t.Error(err)
		}
		f.want(running, dedupe.Answered, "answer 1", dedupe.Asked, time.Second)
		f.want(queued, dedupe.GivenBack, "", 0, 0)
		f.want(parked, dedupe.GivenBack, "", 0, 0)
		f.want(f.ask(0, "d"), dedupe.GivenBack, "", 0, 0)
	})
}

// When the grace ends first the run is dropped and its key is free at once.
func TestCloseReleases(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		f.work = func(ctx context.Context, _ *dedupe.Lease, n int) (dedupe.Outcome, error) {
			if n == 1 {
				return dedupe.Outcome{}, wait(ctx, time.Hour)
			}
			return dedupe.Outcome{Answer: []byte("second"), Keep: time.Minute}, wait(ctx, time.Second)
		}
		dropped := f.ask(0, "k")
		settle(0)
		other := f.ask(1, "k")
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := f.groups[0].Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			f.t.Errorf("closed with %v, want the deadline", err)
		}
		settle(time.Second)
		f.want(dropped, dedupe.GivenBack, "", 0, 3*time.Second)
		f.want(other, dedupe.Answered, "second", dedupe.Asked, 4*time.Second)
		if want := []string{"running", "released", "running", "done"}; !slices.Equal(f.store.phases(), want) {
			f.t.Errorf("stored %v, want %v", f.store.phases(), want)
		}
	})
}

// Who has seconds left is wanted an answer for until then, and no longer.
func TestWantedIn(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		f.work = func(ctx context.Context, l *dedupe.Lease, _ int) (dedupe.Outcome, error) {
			err := wait(ctx, time.Second)
			for in, want := range map[time.Duration]bool{0: true, 4*time.Second - 1: true, 4 * time.Second: false, time.Hour: false} {
				if got := l.WantedIn(in); got != want {
					f.t.Errorf("wanted in %v: %v", in, got)
				}
			}
			if l.Reach() != 10500*time.Millisecond || !l.Deadline().Equal(time.Now().Add(l.Reach()-time.Second)) {
				f.t.Errorf("reach %v, deadline in %v", l.Reach(), time.Until(l.Deadline()))
			}
			return dedupe.Outcome{Answer: []byte("done"), Keep: time.Minute}, err
		}
		f.ask(0, "k", func(a *dedupe.Ask[string]) { a.Until = a.Stored.Add(3 * time.Second) })
		f.ask(0, "k", func(a *dedupe.Ask[string]) { a.Until = a.Stored.Add(5 * time.Second) })
		settle(10 * time.Second)
	})
}

// When everybody has left between two attempts, the run ends and the key is free.
func TestUnwanted(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		f.work = func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error) {
			if err := wait(ctx, 5*time.Second); err != nil {
				return dedupe.Outcome{}, err
			}
			if l.Wanted() {
				f.t.Error("still wanted after the only asker has left")
			}
			return dedupe.Outcome{}, errors.New("nobody waits")
		}
		got := f.ask(0, "k", func(a *dedupe.Ask[string]) { a.Until = a.Stored.Add(3 * time.Second) })
		settle(10 * time.Second)
		f.want(got, dedupe.Expired, "", 0, 5*time.Second)
		if want := []string{"running", "released"}; !slices.Equal(f.store.phases(), want) {
			f.t.Errorf("stored %v, want %v", f.store.phases(), want)
		}
	})
}
