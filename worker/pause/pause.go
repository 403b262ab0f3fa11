// Package pause waits for a time, or until a context ends if that is earlier.
package pause

import (
	"context"
	"time"
)

// For waits for d, or until ctx has ended, which is its error. Of no time at all it says only
// whether ctx has ended.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
