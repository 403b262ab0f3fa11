// Under the race detector the same takes ten times as long.

//go:build race

package fleet_test

const slower = 10
