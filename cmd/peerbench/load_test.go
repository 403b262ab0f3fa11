// How queries are sent: each when it is due, or each caller's after its last answer.
package main

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A query that nobody answers holds up no other, and latency counts from when a query was due.
func TestOpenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options{rate: 100, maxTime: time.Second, n: 1000, dist: "unique"}
		t0 := time.Now()
		sent := map[int64]time.Duration{}
		r := openLoop(&o, nil, func(i int64, key uint64) outcome {
			sent[i] = time.Since(t0) // one at a time: the bubble's clock moves only when all wait
			if key != uint64(i) {
				t.Errorf("query %d asks for key %d", i, key)
			}
			if i == 7 {
				time.Sleep(5 * time.Second)
				return outcome{kind: timedOut}
			}
			time.Sleep(20 * time.Millisecond)
			return outcome{kind: answered, ok: true}
		})
		if r.Issued != 100 || r.Answered != 99 || r.Timeouts != 1 || r.AskedKeys != 100 || r.P50 != 20 || r.Max != 20 {
			t.Errorf("%+v", r)
		}
		for i, at := range sent {
			if want := time.Duration(i) * 10 * time.Millisecond; at != want {
				t.Errorf("query %d was sent after %v, due after %v", i, at, want)
			}
		}
		if r.Wall != 5.07 {
			t.Errorf("ended after %v s", r.Wall)
		}
	})
}

// Of a killed worker's askers those count who waited as it was killed, from then on, and had a
// right answer.
func TestAfterDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options{c: 3, maxTime: time.Second, n: 3, dist: "unique"}
		var died atomic.Int64
		time.AfterFunc(100*time.Millisecond, func() { died.Store(time.Now().UnixNano()) })
		took := []time.Duration{50 * time.Millisecond, 4 * time.Second, 9 * time.Second}
		r := closedLoop(&o, &died, func(i int64, _ uint64) outcome {
			time.Sleep(took[i])
			return outcome{kind: answered, ok: i < 2}
		})
		if r.AfterDeathP99 == nil || *r.AfterDeathP99 != 3900 {
			t.Errorf("%v", r.AfterDeathP99)
		}
		if r := closedLoop(&o, nil, func(int64, uint64) outcome { return outcome{kind: answered, ok: true} }); r.AfterDeathP99 != nil {
			t.Error("nobody died")
		}
	})
}

func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options{c: 2, maxTime: time.Second, n: 1000, dist: "same"}
		r := closedLoop(&o, nil, func(_ int64, key uint64) outcome {
			time.Sleep(300 * time.Millisecond)
			return outcome{kind: answered, ok: key == 0}
		})
		if r.Issued != 8 || r.Answered != 8 || r.Refused != 0 || r.AskedKeys != 1 || r.Wall != 1.2 || r.AnsweredRate != 8/1.2 {
			t.Errorf("%+v", r)
		}
	})
}
