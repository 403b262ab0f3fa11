// Watching: what is known of members that are gone.

package member

import (
	"slices"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// The last beat of a member may come after its seal: it leaves nothing behind.
func TestBeatAfterTheSeal(t *testing.T) {
	const at, ask = 10 * time.Second, time.Second
	w := newWatcher(fleet.WatchOptions{}, 0)
	for _, m := range []journal.Member{"live", "gone"} {
		w.sign(m, at)
	}
	w.gone("gone")
	w.sign("gone", at)
	if _, _, silent := w.look([]*fleet.Member{{ID: "live"}, {ID: "me"}}, "me", ask, at); len(silent) > 0 {
		t.Errorf("asks %q whether they are there", silent)
	}
	both := []*fleet.Member{{ID: "live"}, {ID: "gone"}}
	if _, _, silent := w.look(both, "me", ask, at); !slices.Equal(silent, []journal.Member{"gone"}) {
		t.Errorf("knows nothing of %q, want of the one that is gone", silent)
	}
}
