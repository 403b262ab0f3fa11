// A caller that leaves before its turn must not take the turn along: no call that the fleet may
// make is wasted.

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

// Two of three waiting callers get their answer elsewhere before their turn has come, as happens
// when several workers get asks for the same keys. The rate must still be used, and not exceeded.
func TestRateIsNotWastedOnThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, seconds = 20, 30
		shared := &record.Memory{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var begun atomic.Int64
		for range 3 {
			l := limit.NewRate(shared, "rate", perSecond, time.Now)
			for n := range 60 {
				go func() {
					for ctx.Err() == nil {
						patience := time.Hour
						if n%3 > 0 {
							patience = time.Duration(50+10*n) * time.Millisecond
						}
						within, leave := context.WithTimeout(ctx, patience)
						if after, err := l.Wait(within, time.Hour); err == nil && after == 0 {
							begun.Add(1)
						}
						leave()
					}
				}()
			}
		}
		time.Sleep(seconds * time.Second)
		if got := float64(begun.Load()); got < perSecond*seconds*0.95 || got > perSecond*(seconds+1)*1.05 {
			t.Errorf("%.0f calls begun in %d s, want %d within 5 %%", got, seconds, perSecond*seconds)
		}
		cancel()
		synctest.Wait()
	})
}

// A caller that would wait too long is refused at once, also behind others of its own process.
func TestRateTellsAtOnceWhenTheQueueIsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewRate(&record.Memory{}, "rate", 10, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		for range 100 {
			go func() { _, _ = l.Wait(ctx, time.Hour) }()
		}
		synctest.Wait()
		begun := time.Now()
		if after, err := l.Wait(t.Context(), 2*time.Second); after < 8*time.Second || after > 12*time.Second || err != nil {
			t.Errorf("told %v, %v; about 10 s are right", after, err)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("told after %v", took)
		}
		cancel()
		synctest.Wait()
	})
}

// A caller that leaves hands its turn to a newcomer: a minute without calls says nothing about how
// fast calls go.
func TestRateIsNotJudgedByItsIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &record.Memory{}
		ctx, stop := context.WithCancel(t.Context())
		other := limit.NewRate(shared, "rate", 20, time.Now)
		go func() {
			for ctx.Err() == nil {
				_, _ = other.Wait(ctx, time.Hour)
			}
		}()
		l := limit.NewRate(shared, "rate", 20, time.Now)
		time.Sleep(time.Minute)
		leaving, leave := context.WithTimeout(ctx, 5*time.Millisecond)
		defer leave()
		go func() { _, _ = l.Wait(leaving, time.Second) }()
		synctest.Wait()
		if after, err := l.Wait(ctx, time.Second); after != 0 || err != nil {
			t.Fatalf("the one behind: %v, %v", after, err)
		}
		go func() { _, _ = l.Wait(ctx, time.Second) }()
		synctest.Wait()
		if after, err := l.Wait(ctx, time.Second); after != 0 || err != nil {
			t.Errorf("behind one other: not within a second but %v, %v", after, err)
		}
		stop()
		synctest.Wait()
	})
}
