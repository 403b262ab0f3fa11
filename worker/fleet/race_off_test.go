// Without the race detector there is time for all.

//go:build !race

package fleet_test

const slower = 1
