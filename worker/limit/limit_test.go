// Limits over several processes in exact times, on records in memory.

package limit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/limit"
	"protocolq/worker/record"
)

// Three processes that all want more than the rate allows begin together exactly as many calls as
// it allows, and no more in any second.
func TestRateOverThreeProcesses(t *testing.T) {
	for _, perSecond := range []float64{0.5, 7, 100, 5000} {
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := &record.Memory{}
				ctx, cancel := context.WithCancel(t.Context())
				var mu sync.Mutex
				perSec := map[int]int{}
				begun := time.Now()
				var wg sync.WaitGroup
				for range 3 {
					l := limit.NewRate(shared, "rate", perSecond, time.Now)
					for range 20 {
						wg.Go(func() {
							for {
								if _, err := l.Wait(ctx, time.Hour); err != nil {
									return
								}
								mu.Lock()
								perSec[int(time.Since(begun)/time.Second)]++
								mu.Unlock()
							}
						})
					}
				}
				const seconds = 20
				time.Sleep(seconds * time.Second)
				cancel()
				wg.Wait()
				total := 0
				for s, n := range perSec {
					if s < seconds {
						total += n
					}
					if float64(n) > perSecond*1.05+1 {
						t.Errorf("%d calls in second %d", n, s)
					}
				}
				want := perSecond * seconds
				if float64(total) < want*0.95-1 || float64(total) > want*1.05+1 {
					t.Errorf("%d calls in %d s, want %.0f within 5 %%", total, seconds, want)
				}
				if most := seconds*11 + 3; perSecond > 10 && writes(t, shared, "rate") > most {
					t.Errorf("%d writes, want at most %d: ten a second and not one per call", writes(t, shared, "rate"), most)
				}
			})
		})
	}
}

// writes is how often a record was written, if no other was.
func writes(t *testing.T, m *record.Memory, name string) int {
	t.Helper()
	r, err := m.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return int(r.Seq)
}

func TestRateTakesNothingTooFarAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewRate(&record.Memory{}, "rate", 0.1, time.Now)
		if after, err := l.Wait(t.Context(), time.Second); after != 0 || err != nil {
			t.Errorf("the first call waits %v, %v", after, err)
		}
		for range 3 {
			if after, err := l.Wait(t.Context(), time.Second); after != 10*time.Second || err != nil {
				t.Errorf("the next one would be in %v, %v; want 10 s", after, err)
			}
		}
	})
}

// worker makes as many calls as it may, each taking d.
func callers(ctx context.Context, wg *sync.WaitGroup, s *limit.Share, n int, d time.Duration, under, most, made *atomic.Int64) {
	wg.Go(func() {
		for ctx.Err() == nil {
			_ = s.Renew(ctx)
			wait(ctx, limit.ShareEvery)
		}
	})
	for range n {
		wg.Go(func() {
			for {
				leave, err := s.Enter(ctx)
				if err != nil {
					return
				}
				now := under.Add(1)
				for {
					if m := most.Load(); now <= m || most.CompareAndSwap(m, now) {
						break
					}
				}
				made.Add(1)
				wait(ctx, d)
				under.Add(-1)
				leave()
			}
		})
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func TestShareOverThreeProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &record.Memory{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var under, most atomic.Int64
		made := make([]atomic.Int64, 3)
		for i := range made {
			callers(ctx, &wg, limit.NewShare(shared, "calls", fmt.Sprint(i), 30, time.Now), 40, 100*time.Millisecond, &under, &most, &made[i])
		}
		time.Sleep(20 * time.Second)
		cancel()
		wg.Wait()
		if most.Load() > 30 {
			t.Errorf("%d calls at once, at most 30 may be", most.Load())
		}
		total := made[0].Load() + made[1].Load() + made[2].Load()
		if total < 30*200*95/100 { // 30 at once, ten a second each, 20 s
			t.Errorf("%d calls, want 6000 within 5 %%", total)
		}
		for i := range made {
			if made[i].Load() < total/10 {
				t.Errorf("process %d made %d of %d calls", i, made[i].Load(), total)
			}
		}
	})
}

// The share of a dead process is free after its time, and not before.
func TestShareOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &record.Memory{}
		dead := limit.NewShare(shared, "calls", "dead", 1, time.Now)
		if _, err := dead.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		alive := limit.NewShare(shared, "calls", "alive", 1, time.Now)
		leave, err := alive.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if after := time.Since(begun); after < 10*time.Second || after > 10100*time.Millisecond {
			t.Errorf("entered after %v, want just after 10 s", after)
		}
		leave()
	})
}

// A process that ends right after its calls gives its share back: the next one need not wait until
// the share ends.
func TestShareOfOneThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &record.Memory{}
		old := limit.NewShare(shared, "calls", "old", 2, time.Now)
		next := limit.NewShare(shared, "calls", "next", 2, time.Now)
		leave, err := old.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := old.Enter(t.Context()); err != nil { // a call that does not end in time
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := old.Enter(ctx); err == nil {
				t.Error("a call gets in after its process has left")
			}
		})
		synctest.Wait()
		leave = sync.OnceFunc(leave)
		if err := old.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		leave()
		if err := old.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := next.Enter(t.Context()); err != nil || time.Since(begun) > 0 {
			t.Errorf("entered after %v, %v; want at once", time.Since(begun), err)
		}
		within, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		if _, err := next.Enter(within); err == nil {
			t.Error("the place of a call that has not ended was given back")
		}
		cancel()
		waiting.Wait()
	})
}

// A process that waited and gave up no longer counts: otherwise the others would keep to their fair
// part, here half of the whole, until its share ends.
func TestShareAfterOneThatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &record.Memory{}
		busy := limit.NewShare(shared, "calls", "busy", 8, time.Now)
		brief := limit.NewShare(shared, "calls", "brief", 8, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var under, most, made atomic.Int64
		callers(ctx, &wg, busy, 64, 100*time.Millisecond, &under, &most, &made)
		callers(ctx, &wg, brief, 0, 0, &under, &most, &made) // only renews
		time.Sleep(3010 * time.Millisecond)                  // between two ends of calls, which are 50 ms apart
		within, stop := context.WithTimeout(ctx, 30*time.Millisecond)
		defer stop()
		if _, err := brief.Enter(within); err == nil {
			t.Error("it had not to wait")
		}
		time.Sleep(time.Second)
		made.Store(0)
		time.Sleep(5 * time.Second)
		if n := made.Load(); n < 8*50*9/10 { // 8 at once, ten a second each
			t.Errorf("%d calls in 5 s, want 400 within 10 %%", n)
		}
		cancel()
		wg.Wait()
	})
}

// A share that could not be given back, because the record was unavailable for a moment, is given
// back later.
func TestShareIsGivenBackAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &record.Memory{}
		away := &unavailable{Records: shared}
		one := limit.NewShare(away, "calls", "one", 1, time.Now)
		next := limit.NewShare(shared, "calls", "next", 1, time.Now)
		leave, err := one.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave()
		away.down = true
		if err := one.Renew(t.Context()); err == nil {
			t.Fatal("no error of an unavailable record")
		}
		away.down = false
		if err := one.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := next.Enter(t.Context()); err != nil || time.Since(begun) > 0 {
			t.Errorf("entered after %v, %v; want at once", time.Since(begun), err)
		}
	})
}

// unavailable are records that cannot be changed while down.
type unavailable struct {
	limit.Records
	down bool
}

func (u *unavailable) Change(ctx context.Context, name string, edit func([]byte) ([]byte, error)) error {
	if u.down {
		return errors.New("no server")
	}
	return u.Records.Change(ctx, name, edit)
}

func TestShareWaitsNoLongerThanItsAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limit.NewShare(&record.Memory{}, "calls", "a", 1, time.Now)
		if _, err := s.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := s.Enter(ctx); err == nil || time.Since(begun) != 3*time.Second {
			t.Errorf("%v after %v, want the deadline after 3 s", err, time.Since(begun))
		}
	})
}

func TestBudget(t *testing.T) {
	b := limit.NewBudget(10)
	for i := range 10 {
		if !b.Retry() {
			t.Fatalf("retry %d refused", i+1)
		}
	}
	if b.Retry() {
		t.Error("an eleventh retry")
	}
	for range 9 {
		b.Called()
	}
	if b.Retry() {
		t.Error("a retry after nine calls")
	}
	b.Called()
	b.Called() // floating point: the tenth may be slightly less
	if !b.Retry() {
		t.Error("no retry after eleven calls")
	}
	for range 10_000 {
		b.Called()
	}
	if b.Left() != 10 {
		t.Errorf("%.1f saved up, want 10", b.Left())
	}
}
