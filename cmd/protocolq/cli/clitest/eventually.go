// Package clitest is what the tests of several commands need: pipes that can be read once, and
// waiting for a condition.
package clitest

import (
	"testing"
	"time"
)

// Eventually polls ok until it is true; this is real time, as the other processes' is. A machine
// can be as busy as it likes: what never comes is red all the same.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 5 minutes: %s", what)
		}
	}
}
