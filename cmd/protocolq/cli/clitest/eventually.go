// Package clitest is what the tests of several commands need: pipes that can be read once, and
// waiting for a condition.
package clitest

import (
	"testing"
	"time"
)

// Eventually polls ok until it is true, in real time, like that of the other processes. However
// busy the machine is, a condition that never becomes true fails the test.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 5 minutes: %s", what)
		}
	}
}
