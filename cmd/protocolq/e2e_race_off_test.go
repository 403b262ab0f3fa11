//go:build !race

// The counterpart of e2e_race_on_test.go.

package main

import "time"

const soon = time.Second
