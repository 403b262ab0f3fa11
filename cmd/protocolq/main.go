// The one program: reads settings, wires the parts together, and ends with an exit code that scripts can trust.
package main

import (
	"os"
	"runtime/debug"
)

func main() {
	collectLess()
	os.Exit(run(os.Args[1:]))
}

// collectLess lets the heap grow to three times what lives instead of two: what lives is small and bounded, and a
// worker under load spent a fifth of its time collecting. Whoever sets GOGC knows better.
func collectLess() {
	const usual, here = 100, 200
	if before := debug.SetGCPercent(here); before != usual {
		debug.SetGCPercent(before)
	}
}
