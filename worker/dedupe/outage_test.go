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
