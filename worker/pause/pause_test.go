// A pause takes its time, and ends when its caller no longer wants it.

package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/pause"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := pause.For(t.Context(), time.Second); err != nil || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun = time.Now()
		if err := pause.For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
			t.Errorf("of one who left: %v after %v", err, time.Since(begun))
		}
		if err := pause.For(ctx, 0); err == nil {
			t.Error("no time at all hides that the context has ended")
		}
		if err := pause.For(t.Context(), -time.Second); err != nil {
			t.Error(err)
		}
	})
}
