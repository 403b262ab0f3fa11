//go:build !race

// The counterpart of race_on_test.go.

package messages_test

const slower = 1
