// What a holder may still do that was given up, and what a store that answers late or never must not break.

package dedupe_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"protocolq/worker/dedupe"
)

// zombie lets the first run sleep for longer than lease and grace, then do act.
func zombie(act func(ctx context.Context, l *dedupe.Lease) (dedupe.Outcome, error)) func(context.Context, *dedupe.Lease, int) (dedupe.Outcome, error) {
	return func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error) {
		if n > 1 {
			return dedupe.Outcome{Answer: []byte("second"), Keep: time.Minute}, nil
		}
		if err := wait(ctx, 16*time.Second); err != nil {
			return dedupe.Outcome{}, err
		}
		return act(ctx, l)
	}
}

// A key that was given up has its answer: the holder that comes back may not
// put another one under the same run, nor go on, nor set the key free.
func TestGivenUpHolderChangesNothing(t *testing.T) {
	acts := map[string]func(context.Context, *dedupe.Lease) (dedupe.Outcome, error){
		"stores": func(context.Context, *dedupe.Lease) (dedupe.Outcome, error) {
			return dedupe.Outcome{Answer: []byte("zombie"), Keep: time.Minute}, nil
		},
		"renews": func(ctx context.Context, l *dedupe.Lease) (dedupe.Outcome, error) {
			err := l.Renew(ctx, 2, nil)
			if !errors.Is(err, dedupe.ErrFenced) {
				t.Errorf("renewed a lease that was given up: %v", err)
			}
			return dedupe.Outcome{Answer: []byte("zombie"), Keep: time.Minute}, err
		},
		"releases": func(context.Context, *dedupe.Lease) (dedupe.Outcome, error) {
			return dedupe.Outcome{}, errors.New("nothing came of it")
		},
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			bubble(t, 2, dedupe.Options{AfterCrash: dedupe.Fail}, func(f *fleet) {
				f.work = zombie(act)
				holder := f.ask(0, "k")
				settle(0)
				asked := time.Now()
				other := f.ask(1, "k")
				settle(20 * time.Second)
				f.want(other, dedupe.Answered, "gave up run1 after 1", dedupe.Joined, 14*time.Second)
				f.want(holder, dedupe.Answered, "gave up run1 after 1", dedupe.Asked, 16*time.Second)
				late := f.ask(1, "k", func(a *dedupe.Ask[string]) { a.Stored = asked })
				settle(time.Second)
				f.want(late, dedupe.Answered, "gave up run1 after 1", dedupe.Joined, 0)
				if f.made() != 1 {
					t.Errorf("%d runs, want 1", f.made())
				}
			})
		})
	}
}

// The same when the answer of the key that was given up has ended meanwhile: an
// absent record is nobody's to go on from once the lease has lapsed.
func TestHolderOfAnEndedKeyChangesNothing(t *testing.T) {
	bubble(t, 2, dedupe.Options{AfterCrash: dedupe.Fail}, func(f *fleet) {
		f.work = func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error) {
			if n > 1 {
				return dedupe.Outcome{Answer: []byte("second"), Keep: time.Minute}, nil
			}
			return dedupe.Outcome{Answer: []byte("zombie"), Keep: time.Minute}, wait(ctx, 11*time.Minute)
		}
		holder := f.ask(0, "k")
		settle(0)
		other := f.ask(1, "k")
		settle(12 * time.Minute) // the answer is kept from 14 s on, for ten minutes
		f.want(other, dedupe.Answered, "gave up run1 after 1", dedupe.Joined, 14*time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		if string(holder.Answer) != "second" || holder.Run == "run1" || f.runs != 2 {
			f.t.Errorf("the holder's asker was told %q of %s with %d runs, want second of a new run", holder.Answer, holder.Run, f.runs)
		}
	})
}

// A read whose answer is lost must not hold a flight, nor its asks, for ever.
func TestReadThatIsNeverAnswered(t *testing.T) {
	for _, phase := range []dedupe.Phase{dedupe.Running, dedupe.Done} { // of the claim, of the answer
		t.Run(string(phase), func(t *testing.T) {
			bubble(t, 2, dedupe.Options{}, func(f *fleet) {
				once := false
				f.store.lose = func(rec *dedupe.Record) bool { // the acknowledgement and the next read are lost
					if rec.Phase != phase || once {
						return false
					}
					once, f.store.mute = true, 1
					return true
				}
				got := f.ask(0, "k", func(a *dedupe.Ask[string]) { a.Until = a.Stored.Add(30 * time.Second) })
				settle(30 * time.Second)
				f.mu.Lock()
				if got.count != 1 || string(got.Answer) != "answer 1" || f.runs != 1 {
					t.Errorf("told %d times %q with %d runs, want once answer 1 with 1", got.count, got.Answer, f.runs)
				}
				f.mu.Unlock()
				f.store.free()
			})
		})
	}
}

// A refresh that is given up loses the answer before it no more than one that fails.
func TestGivenUpRefreshKeepsTheAnswer(t *testing.T) {
	bubble(t, 1, dedupe.Options{AfterCrash: dedupe.Fail}, func(f *fleet) {
		now := time.Now()
		_, err := f.store.Put(context.Background(), "k", &dedupe.Record{Phase: dedupe.Running, Run: "ghost", Owner: "gone", Attempt: 1, LeaseMs: 12000,
			Question: []byte("question"), Prev: &dedupe.Kept{Run: "before", Answer: []byte("before"), AtMs: now.UnixMilli(), KeepMs: 600_000}}, dedupe.Terms{TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		refresh := f.ask(0, "k", maxAge(0), func(a *dedupe.Ask[string]) { a.Stored = now.Add(time.Second) })
		settle(15 * time.Second)
		f.want(refresh, dedupe.Answered, "gave up ghost after 1", dedupe.Joined, 14*time.Second)
		settle(2 * time.Minute) // far beyond the time of the given-up answer
		e, err := f.store.Get(context.Background(), "k")
		if err != nil || e.Record.Prev == nil {
			t.Errorf("the answer before the refresh is gone after its failure: %+v %v", e, err)
		}
		f.want(f.ask(0, "k"), dedupe.Answered, "before", dedupe.Remembered, 0)
	})
}

// An answer to another question is nobody's, also while it only rides along.
func TestEarlierAnswerIsOfTheSameQuestion(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		_, err := f.store.Put(context.Background(), "k", &dedupe.Record{Phase: dedupe.Released, Run: "r", Owner: "gone", Question: []byte("another"),
			Prev: &dedupe.Kept{Run: "before", Answer: []byte("before"), AtMs: time.Now().UnixMilli(), KeepMs: 600_000}}, dedupe.Terms{TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		got := f.ask(0, "k")
		settle(2 * time.Second)
		f.want(got, dedupe.Conflict, "", 0, 0)
	})
}

// When the time to close is over, the store being away holds nobody up for long.
func TestCloseWhileTheStoreIsAway(t *testing.T) {
	bubble(t, 1, dedupe.Options{}, func(f *fleet) {
		f.store.before = func(rec *dedupe.Record) error {
			if rec.Phase == dedupe.Running {
				return nil
			}
			return errLost
		}
		got := f.ask(0, "k")
		settle(500 * time.Millisecond)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		err := f.groups[0].Close(ctx)
		if after := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || after > 10*time.Second {
			t.Errorf("closed after %v with %v, want within seconds of the 3 s given, with the deadline", after, err)
		}
		f.want(got, dedupe.GivenBack, "", 0, time.Since(begun)+500*time.Millisecond)
	})
}

// A claim whose acknowledgement was lost is known for our own later, too, when
// another was tried meanwhile: nobody waits for a lease that nobody holds.
func TestOwnClaimIsFoundLater(t *testing.T) {
	bubble(t, 1, dedupe.Options{AfterCrash: dedupe.Fail}, func(f *fleet) {
		f.store.deaf = true
		once := false
		f.store.lose = func(rec *dedupe.Record) bool {
			if once {
				return false
			}
			once, f.store.blind = true, 2
			return true
		}
		got := f.ask(0, "k")
		settle(20 * time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		if string(got.Answer) != "answer 1" || got.after > 4*time.Second || f.runs != 1 {
			f.t.Errorf("told %q after %v with %d runs, want answer 1 soon after 1 s", got.Answer, got.after, f.runs)
		}
	})
}
