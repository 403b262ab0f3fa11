// Without the race detector there is time for all.

//go:build !race

package member_test

const slower = 1
