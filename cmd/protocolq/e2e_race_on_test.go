//go:build race

// How slow the program may be to start under the race detector.

package main

import "time"

const soon = 3 * time.Second
