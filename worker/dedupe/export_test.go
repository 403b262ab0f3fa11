// The two pure decisions for the tables of decide_test.go: through a Group each row would need a store, a clock and a flight.

package dedupe

import (
	"time"
	"unsafe"
)

// Judge is judge for a reader of the entry at a time of the test's choice.
func Judge[Q any](e Entry, a *Ask[Q], now time.Time) (Verdict, bool) { return judge(&e, a.wish(), now) }

// Decide names what decide does next, with the sequence it expects and how long it waits.
func Decide(o Options, e Entry, read bool, silent time.Duration, now time.Time) (act string, expect uint64, wait time.Duration) {
	o.defaults()
	e.read = read
	s := o.decide(&e, silent, now)
	return map[kindOfAct]string{actWait: "wait", actClaim: "claim", actTake: "take", actSuspect: "suspect", actGiveUp: "give up"}[s.act], s.expect, s.wait
}

// kindOfAct is act where a result has taken its name.
type kindOfAct = act

// Encode is how a record is stored.
func (r *Record) Encode() []byte { return r.encode() }

// CheckLease is Check for a lease that was claimed ago on the monotonic clock, since when the machine's wall clock has been set
// forward by jump. No test can set a machine's clock, a bubble's time has one clock only, and time.Time offers no way to part
// the two: ok is false when it looks different inside.
func CheckLease(lease, ago, jump time.Duration) (err error, ok bool) {
	type parts struct { // of a time.Time with a monotonic reading: seconds stand above the lowest 30 bits of the first
		wall uint64
		ext  int64
		_    *time.Location
	}
	now := time.Now()
	since := now.Add(-ago)
	(*parts)(unsafe.Pointer(&since)).wall -= uint64(int64(jump/time.Second)) << 30
	ok = now.Sub(since) == ago && now.Round(0).Sub(since.Round(0)) == ago+jump
	l := &Lease{since: since, rec: Record{LeaseMs: lease.Milliseconds()}}
	return l.Check(), ok
}
