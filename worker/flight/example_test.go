// What comes after a call: the rule that says whether it is tried again.

package flight_test

import (
	"fmt"
	"time"

	"protocolq/worker/flight"
)

// A call that failed for a while is tried again after the longer of the backoff and the gateway's
// Retry-After, while attempts, askers and budget are left. Anything else ends the run.
func ExampleAfter() {
	made := flight.Made{
		Outcome: flight.Outcome{Class: flight.Temporary}, Attempt: 1, Attempts: 5, Wanted: 30 * time.Second,
		Backoff: 100 * time.Millisecond, Longest: 5 * time.Minute, Cooldown: 30 * time.Second,
		Budget: func() bool { return true },
	}
	show := func(what string, m flight.Made) {
		if next := flight.After(m); next.Verdict == 0 {
			fmt.Println(what, "tried again after", next.At)
		} else {
			fmt.Println(what, "over, and not asked again for", next.Keep)
		}
	}
	show("a 502:", made)

	busy := made
	busy.Outcome.RetryAfter = 2 * time.Second
	show("a 503 with Retry-After:", busy)

	last := made
	last.Attempt = 5
	show("the fifth attempt:", last)

	wrong := made
	wrong.Outcome.Class = flight.Final
	show("a wrong signature:", wrong)

	left := made
	left.Wanted = -1
	show("all askers have left:", left)
	// Output:
	// a 502: tried again after 100ms
	// a 503 with Retry-After: tried again after 2s
	// the fifth attempt: over, and not asked again for 30s
	// a wrong signature: over, and not asked again for 30s
	// all askers have left: over, and not asked again for 30s
}
