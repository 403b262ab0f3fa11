// Under the race detector the same takes ten times as long.

//go:build race

package member_test

const slower = 10
