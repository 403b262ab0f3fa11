// Askers and answers while something they need is away or not to be had yet.

package dedupe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/dedupe"
)

// An ask that waits for its turn to be admitted hears of the answer that another process has stored.
func TestNewsReachesWhoWaitsToBeAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g *dedupe.Group[string]
		g, err := dedupe.New(dedupe.Options{Store: newFakeStore(), Owner: "b", NewRun: func() string { return "r" }}, dedupe.Work[string]{
			Run: func(context.Context, *dedupe.Lease, string) (dedupe.Outcome, error) {
				t.Error("ran")
				return dedupe.Outcome{}, nil
			},
			GaveUp: func(string, string, int) dedupe.Outcome { return dedupe.Outcome{} },
			Admit: func(ctx context.Context, _ string) (func(), string, time.Duration) {
				<-ctx.Done() // the fleet's calls are all under way
				return nil, "", 0
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		told := make(chan time.Duration, 1)
		g.Join("k", &dedupe.Ask[string]{Question: []byte("q"), Stored: begun, MaxAge: -1, Until: begun.Add(30 * time.Second),
			Tell: func(v dedupe.Verdict) {
				if v.Kind != dedupe.Answered {
					t.Errorf("%+v", v)
				}
				told <- time.Since(begun)
			}})
		time.Sleep(time.Second)
		g.Observe(dedupe.Entry{Key: "k", Seq: 7, Time: time.Now(), Record: dedupe.Record{Phase: dedupe.Done, Run: "a", Question: []byte("q"), Answer: []byte("x"), KeepMs: 60000}})
		if d := <-told; d > 2*time.Second {
			t.Errorf("told %v after asking; the answer was known after 1 s", d)
		}
		_ = g.Close(context.Background())
	})
}

// away is a store that cannot be reached for a while.
type away struct {
	*fakeStore
	until time.Time
	from  time.Time
}

func (s *away) gone() bool { return time.Now().After(s.from) && time.Now().Before(s.until) }

func (s *away) Put(ctx context.Context, key string, rec *dedupe.Record, terms dedupe.Terms) (uint64, error) {
	if s.gone() {
		return 0, errLost
	}
	return s.fakeStore.Put(ctx, key, rec, terms)
}

func (s *away) Get(ctx context.Context, key string) (dedupe.Entry, error) {
	if s.gone() {
		return dedupe.Entry{}, errLost
	}
	return s.fakeStore.Get(ctx, key)
}

// A holder that lives keeps its answer until the store is back, however long that takes.
func TestAnswerOutlivesALongOutageOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		store := &away{fakeStore: newFakeStore(), from: begun.Add(500 * time.Millisecond), until: begun.Add(5 * time.Minute)}
		runs := 0
		g, err := dedupe.New(dedupe.Options{Store: store, Owner: "a", NewRun: func() string { return string(rune('a' + runs)) }}, dedupe.Work[string]{
			Run: func(ctx context.Context, _ *dedupe.Lease, _ string) (dedupe.Outcome, error) {
				runs++
				time.Sleep(time.Second)
				return dedupe.Outcome{Answer: []byte("x"), Keep: time.Minute}, nil
			},
			GaveUp: func(string, string, int) dedupe.Outcome { return dedupe.Outcome{} },
		})
		if err != nil {
			t.Fatal(err)
		}
		store.hear = append(store.hear, g.Observe)
		told := make(chan dedupe.Verdict, 1)
		g.Join("k", &dedupe.Ask[string]{Question: []byte("q"), Stored: begun, MaxAge: -1, Until: begun.Add(time.Hour), Tell: func(v dedupe.Verdict) { told <- v }})
		<-told
		if runs != 1 {
			t.Errorf("%d runs, want 1", runs)
		}
		_ = g.Close(context.Background())
	})
}

// behind is a store without a leader for a while, whose follower answers reads from before the claim, and for a moment after.
type behind struct {
	*away
	has *dedupe.Entry // what the follower has; nil: nothing
}

func (s *behind) Get(ctx context.Context, key string) (dedupe.Entry, error) {
	if time.Now().Before(s.from) || time.Now().After(s.until.Add(500*time.Millisecond)) {
		return s.fakeStore.Get(ctx, key)
	}
	if s.has == nil {
		return dedupe.Entry{Key: key}, nil
	}
	return *s.has, nil
}

// What a follower does not know yet is no word that the key is lost: else the answer that was paid for would be thrown away,
// and asked for again.
func TestFollowerThatLagsTakesNoKeyAway(t *testing.T) {
	older := &dedupe.Entry{Key: "k", Seq: 1, Record: dedupe.Record{Phase: dedupe.Released, Run: "before", Question: []byte("question")}}
	for name, has := range map[string]*dedupe.Entry{"nothing": nil, "the record before": older} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				f := &fleet{t: t, store: newFakeStore()}
				f.work = func(ctx context.Context, _ *dedupe.Lease, n int) (dedupe.Outcome, error) {
					return dedupe.Outcome{Answer: []byte("answer"), Keep: time.Minute}, wait(ctx, time.Second)
				}
				if has != nil {
					if _, err := f.store.Put(t.Context(), "k", &has.Record, dedupe.Terms{TTL: time.Hour}); err != nil {
						t.Fatal(err)
					}
				}
				store := &behind{away: &away{fakeStore: f.store, from: begun.Add(500 * time.Millisecond), until: begun.Add(20 * time.Second)}, has: has}
				for _, owner := range []string{"a", "b"} {
					g, err := dedupe.New(dedupe.Options{Store: store, Owner: owner, NewRun: f.newRun}, dedupe.Work[string]{Run: f.run, GaveUp: gaveUp})
					if err != nil {
						t.Fatal(err)
					}
					f.groups = append(f.groups, g)
					f.store.hear = append(f.store.hear, g.Observe)
				}
				one := f.ask(0, "k")
				settle(100 * time.Millisecond)
				other := f.ask(1, "k")
				settle(time.Minute)
				f.mu.Lock()
				if f.runs != 1 || string(one.Answer) != "answer" || string(other.Answer) != "answer" {
					t.Errorf("%d runs; told %q and %q; want one, and its answer", f.runs, one.Answer, other.Answer)
				}
				f.mu.Unlock()
				f.close()
			})
		})
	}
}
