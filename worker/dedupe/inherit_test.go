// What is known of a holder that died outlives also the one who took over from him.

package dedupe_test

import (
	"context"
	"testing"
	"time"

	"protocolq/worker/dedupe"
)

func TestTheNextHolderKnowsOfAllWhoDied(t *testing.T) {
	bubble(t, 2, dedupe.Options{}, func(f *fleet) {
		var inherited string
		f.work = func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error) {
			if n == 1 { // frozen at once, before he wrote anything down
				return dedupe.Outcome{Answer: []byte("zombie"), Keep: time.Minute}, wait(ctx, 40*time.Second)
			}
			inherited = string(l.Before().Journal)
			return dedupe.Outcome{Answer: []byte("true"), Keep: time.Minute}, nil
		}
		f.ghost("k", 0)
		f.ask(0, "k")
		settle(15 * time.Second)
		other := f.ask(1, "k")
		settle(30 * time.Second)
		if other.count != 1 || string(other.Answer) != "true" || inherited != "ghost died;" {
			t.Errorf("told %q; the second taker inherited %q", other.Answer, inherited)
		}
		settle(10 * time.Second)
	})
}
