// The buckets of times: narrow, and without gaps.

package database_test

import (
	"io"
	"log/slog"
	"math"
	"testing"

	"protocolq/worker/querylog/database"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestBuckets(t *testing.T) {
	for _, us := range []int64{0, 1, 3, 4, 7, 8, 9, 15, 16, 100, 1000, 12345, 1e6, 1e9, 1e12, math.MaxInt64 / 2} {
		b := database.BucketOf(us)
		from, to := database.BucketStart(b), database.BucketStart(b+1)
		if us < from || us >= to {
			t.Errorf("%d is in bucket %d from %d to %d", us, b, from, to)
		}
		if float64(to-from) > max(float64(from)/8, 1) {
			t.Errorf("bucket %d from %d to %d is wide", b, from, to)
		}
		if b >= 512 {
			t.Errorf("%d is in bucket %d", us, b)
		}
	}
	if b := database.BucketOf(-5); b != 0 {
		t.Errorf("a time before its begin is in bucket %d", b)
	}
}
