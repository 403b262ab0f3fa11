// When a partner is halted, and when it is served again.

package partner_test

import (
	"fmt"
	"time"

	"protocolq/worker/partner"
)

// Five answers that reject a partner's settings, for three keys within a minute, halt it. Once a
// minute one call is a probe; a good answer to it ends the halt.
func ExampleBreaker() {
	b := partner.NewBreaker("worker-1")
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for i := range 5 {
		w := b.Note(now, partner.Run{Key: fmt.Sprint("key-", i%3), Code: "ILLEGAL_SIGN", Finding: partner.Fault})
		fmt.Println("fault", i+1, "halts:", w != nil)
		if w != nil {
			b.Learn(w.Halt, 1) // it is written, and the fleet sees it
		}
	}
	after, probe := b.Call(now.Add(20 * time.Second))
	fmt.Println("a call may be made in", after, "probe:", probe != nil)

	_, probe = b.Call(now.Add(61 * time.Second))
	fmt.Println("a minute later, probe:", probe != nil)
	b.Learn(probe.Halt, 2)

	w := b.Note(now.Add(62*time.Second), partner.Run{Key: "key-9", Finding: partner.Good})
	fmt.Println("a good answer ends the halt:", !w.Halt.Halted)
	// Output:
	// fault 1 halts: false
	// fault 2 halts: false
	// fault 3 halts: false
	// fault 4 halts: false
	// fault 5 halts: true
	// a call may be made in 40s probe: false
	// a minute later, probe: true
	// a good answer ends the halt: true
}
