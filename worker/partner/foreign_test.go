// A halt that no worker of this version wrote: what is known of the partner stays, and overwrites
// the halt.

package partner_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/partner"
	"protocolq/worker/record"
)

func TestForeignHalt(t *testing.T) {
	for name, c := range map[string]struct {
		data        string
		known       bool          // to one of the processes
		leastToLast time.Duration // how long it stays
		mostToLast  time.Duration
	}{
		"unreadable":                 {"garbage", true, 0, 6 * time.Second},
		"unreadable, nobody knew":    {"garbage", false, time.Minute, time.Minute + 6*time.Second},
		"of another kind":            {`{"halted":"no"}`, true, 0, 6 * time.Second},
		"of a later version":         {`{"v":2,"state":"open"}`, true, 4 * time.Minute, 4*time.Minute + 6*time.Second},
		"a later version, by nobody": {`{"v":2,"state":"open"}`, false, 5 * time.Minute, 5*time.Minute + 6*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m record.Memory
				var j journal
				ctx, stop := context.WithCancel(t.Context())
				var running sync.WaitGroup
				defer running.Wait()
				defer stop()
				run := func(g *partner.Gate) { running.Go(func() { _ = g.Run(ctx) }) }
				want := partner.Halt{By: "b"} // not as an operator who resumes it
				if c.known {
					want = partner.Halt{Halted: true, By: partner.ByOperator, Reason: "contract"}
					run(newGate(t, &m, "a", &j, nil))
					if err := partner.WriteHalt(ctx, &m, one, want); err != nil {
						t.Fatal(err)
					}
				}
				was, _ := m.Get(ctx, one+".halt")
				bad, err := m.Put(ctx, one+".halt", []byte(c.data), was.Seq)
				if err != nil {
					t.Fatal(err)
				}
				late := newGate(t, &m, "b", &j, nil) // it knows of no halt
				run(late)
				begun := time.Now()
				for r := (record.Record{Seq: bad}); r.Seq == bad; r, _ = m.Get(ctx, one+".halt") {
					if time.Since(begun) > c.mostToLast {
						t.Fatalf("not written over after %v", time.Since(begun))
					}
					time.Sleep(250 * time.Millisecond)
				}
				if took := time.Since(begun); took < c.leastToLast {
					t.Errorf("written over after %v", took)
				}
				synctest.Wait()
				if h, err := partner.ReadHalt(ctx, &m, one); err != nil || h != want || (late.After(one) > 0) != want.Halted {
					t.Errorf("the record says %+v, %v", h, err)
				}
			})
		})
	}
}
