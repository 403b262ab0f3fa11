// Under the race detector the same takes ten times as long.

//go:build race

package simtest

// Slower is by how much a test does less than it would without the race detector.
const Slower = 10
