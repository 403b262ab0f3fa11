package main

import (
	"math"
	"testing"
)

// The limit holds a worker small, and never so near to what lives that it does nothing but collect.
func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int64
	}{{0, 44 << 20}, {18 << 20, 44 << 20}, {19 << 20, 46 << 20}, {200 << 20, 408 << 20}} {
		if got := memoryLimit(c.live); got != c.want {
			t.Errorf("%d MiB live: limit %d MiB, want %d", c.live>>20, got>>20, c.want>>20)
		}
	}
	if got := memoryLimit(math.MaxUint64); got <= 0 {
		t.Errorf("limit %d", got)
	}
}
