// Package clitest is what the tests of several commands need: pipes that can be read once, and
// waiting until something holds.
package clitest

import (
	"testing"
	"time"
)

// Eventually polls ok until it is true; this is real time, as the other processes' is.
func Eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
