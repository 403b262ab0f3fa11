// The ids that shell completion offers.

package querylog

import (
	"slices"
	"testing"

	"protocolq/worker/querylog/database"
)

func TestIDsOffered(t *testing.T) {
	asks := []database.Ask{{ID: "booking-2", Run: "DmUP"}, {ID: "booking-1", Run: "DmUP"}, {ID: "a b; rm", Run: ""}, {ID: "booking-2", Run: "Xk"}}
	for begin, want := range map[string][]string{"": {"booking-2", "DmUP", "booking-1", "Xk"}, "booking": {"booking-2", "booking-1"}, "none": nil} {
		if got := idsOf(asks, begin, true); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", begin, got, want)
		}
	}
	if got := idsOf(asks, "", false); slices.Contains(got, asks[0].Run) || !slices.Contains(got, asks[0].ID) {
		t.Errorf("of asks alone: %q", got)
	}
}
