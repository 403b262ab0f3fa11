//go:build race

// How soon a fleet has to be ready under the race detector.

package protocolqtest_test

import "time"

const atOnce = 2000 * time.Millisecond
