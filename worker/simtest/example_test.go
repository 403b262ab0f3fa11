package simtest_test

import (
	"fmt"

	"protocolq/worker/simtest"
)

// A fleet whose members decide nothing: in the end an asker still waits.
func ExampleWorld() {
	w := simtest.New(1, simtest.Options{
		Runs: func(*simtest.Member, simtest.Runs) simtest.Runs { return silence{} },
	})
	fmt.Println(w.Play())
	// Output: after 2m20.001535369s: t004 still waits
}
