// Chance, so that many processes do not act as one.
package main

import (
	"math/rand/v2"
	"time"
)

// jitterUpTo draws a duration from 0 up to limit.
func jitterUpTo(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return rand.N(limit)
}
