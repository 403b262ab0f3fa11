// A rate whose shared record is some milliseconds away.

package limit_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/limit"
	"protocolq/worker/record"
)

// slow responds like a server some milliseconds away.
type slow struct{ *record.Memory }

func (s slow) Get(ctx context.Context, name string) (record.Record, error) {
	r, err := s.Memory.Get(ctx, name)
	time.Sleep(time.Millisecond)
	return r, err
}

func (s slow) Put(ctx context.Context, name string, data []byte, expect uint64) (uint64, error) {
	time.Sleep(time.Millisecond)
	return s.Memory.Put(ctx, name, data, expect)
}

func (s slow) Change(ctx context.Context, name string, edit func([]byte) ([]byte, error)) error {
	return record.Change(ctx, s, name, edit)
}

// With more demand than the rate allows, and askers who are refused after most, the rate holds.
func TestRateWhenMostAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, seconds = 20, 60
		shared := slow{&record.Memory{}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var begun atomic.Int64
		for range 3 {
			l := limit.NewRate(shared, "rate", perSecond, time.Now)
			for range 100 { // refused askers come again
				go func() {
					for ctx.Err() == nil {
						after, err := l.Wait(ctx, 2*time.Second)
						switch {
						case err != nil:
						case after > 0:
							time.Sleep(200 * time.Millisecond)
						default:
							begun.Add(1)
						}
					}
				}()
			}
		}
		time.Sleep(seconds * time.Second)
		if got := begun.Load(); float64(got) > perSecond*(seconds+1)*1.05 {
			t.Errorf("%d calls begun in %d s, want at most %d", got, seconds, perSecond*(seconds+1))
		}
		cancel()
		time.Sleep(10 * time.Second)
	})
}
