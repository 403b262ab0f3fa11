// Elections: while a stream chooses another leader, askers wait, and get answers.

package worker_test

import (
	"sync"
	"testing"
	"time"

	"protocolq/messages"
)

// The leader of each stream steps down, again and again, under load: every asker gets an answer,
// and none gets OVERLOADED.
func TestElectionsKeepNobodyFromAnAnswer(t *testing.T) {
	t.Parallel()
	f := newCluster(t)
	f.start(written(t))
	f.start(written(t))
	n := 0
	for _, kind := range messages.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			got := make(chan received, 12)
			var asking sync.WaitGroup
			for i := range 12 {
				if i%6 == 0 {
					_, _ = f.nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+f.names.Stream(kind), nil, time.Minute)
				}
				n++
				q := messages.Query{UserEmail: email("signed+"+string(kind), n)}
				asking.Go(func() {
					begun := time.Now()
					r, err := f.try(q)
					got <- received{r, err, time.Now(), time.Since(begun)}
				})
				<-time.After(100 * time.Millisecond)
			}
			asking.Wait()
			close(got)
			var longest time.Duration
			for r := range got {
				longest = max(longest, r.took)
				if r.err != nil || r.Outcome != messages.Signed {
					t.Errorf("told %v %s after %v", r.err, refusal(r.Result), r.took)
				}
			}
			t.Logf("the longest took %v", longest)
		})
	}
	f.wantCalls(n)
}
