//go:build !race

// How soon a fleet has to be ready.

package protocolqtest_test

import "time"

const atOnce = 200 * time.Millisecond
