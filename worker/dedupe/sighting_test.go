// A worker that comes across a claim knows how long it has stood, as far as it has seen the store before.

package dedupe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/dedupe"
)

// The claim of a holder who died before anybody began is taken over a lease and the grace after the first sighting
// that has it, not after it was come across.
func TestClaimStandsSinceItsSighting(t *testing.T) {
	const lease, grace, began, asked = 12 * time.Second, 2 * time.Second, time.Second, 4 * time.Second
	for name, c := range map[string]struct {
		last  uint64        // of the sighting
		stamp time.Duration // of the sighting, after the claim's
		later bool          // the stream is made anew after the sighting: another one follows
		want  time.Duration // when the work runs
	}{
		"seen":               {last: 1, stamp: began, want: began + lease + grace},
		"seen among many":    {last: 9, stamp: began, want: began + lease + grace},
		"claimed since":      {last: 0, stamp: began, want: asked + lease + grace},
		"of another stream":  {last: 9, stamp: -time.Second, want: asked + lease + grace},
		"seen before a wipe": {last: 9, stamp: began, later: true, want: began + time.Second + lease + grace},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				store := newFakeStore()
				claim := &dedupe.Record{Phase: dedupe.Running, Run: "dead", Owner: "a", Attempt: 1, LeaseMs: lease.Milliseconds(), Question: []byte("q")}
				if _, err := store.Put(t.Context(), "k", claim, dedupe.Terms{Expect: 0, TTL: time.Hour}); err != nil {
					t.Fatal(err)
				}
				var ran time.Duration
				g, err := dedupe.New(dedupe.Options{Store: store, Owner: "b", NewRun: func() string { return "mine" }}, dedupe.Work[string]{
					Run: func(context.Context, *dedupe.Lease, string) (dedupe.Outcome, error) {
						ran = time.Since(begun)
						return dedupe.Outcome{Answer: []byte("x"), Keep: time.Minute}, nil
					},
					GaveUp: func(string, string, int) dedupe.Outcome { return dedupe.Outcome{} },
				})
				if err != nil {
					t.Fatal(err)
				}
				store.hear = append(store.hear, g.Observe)
				time.Sleep(began)
				g.Sighted(c.last, begun.Add(c.stamp))
				if c.later {
					time.Sleep(time.Second)
					g.Sighted(1, begun.Add(2*time.Second))
				}
				time.Sleep(asked - time.Since(begun))
				told := make(chan dedupe.Verdict, 1)
				g.Join("k", &dedupe.Ask[string]{Question: []byte("q"), Stored: time.Now(), MaxAge: -1, Until: time.Now().Add(time.Minute),
					Tell: func(v dedupe.Verdict) { told <- v }})
				if v := <-told; v.Kind != dedupe.Answered || ran != c.want {
					t.Errorf("ran after %v, want %v: %+v", ran, c.want, v)
				}
				_ = g.Close(context.Background())
			})
		})
	}
}
