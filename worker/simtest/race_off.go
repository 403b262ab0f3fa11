// Without the race detector there is time for all.

//go:build !race

package simtest

// Slower is by how much a test does less than it would without the race detector.
const Slower = 1
