// The waits between the tries of one call.

package retry_test

import (
	"fmt"
	"time"

	"protocolq/worker/retry"
)

// A call that fails is tried again after each of its waits, until no try is left. The waits are
// drawn at random, each from 0 to a bound that grows.
func ExamplePolicy_Waits() {
	policy := retry.Policy{Attempts: 4, Initial: 100 * time.Millisecond, Max: 150 * time.Millisecond}
	next := policy.Waits()
	for _, bound := range []time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond} {
		fmt.Println("at most", bound, next() <= bound)
	}
	fmt.Println("tries in all:", policy.Most())
	// Output:
	// at most 200ms true
	// at most 300ms true
	// at most 300ms true
	// tries in all: 4
}
