//go:build race

// How much slower code may be under the race detector.

package messages_test

// slower is how many times longer code may take under the race detector, which also counts
// statements, on a busy machine.
const slower = 50
