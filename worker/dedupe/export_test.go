// The two pure decisions for the tables of decide_test.go: through a Group each row would need a store, a clock and a flight.

package dedupe

import "time"

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
func (r *Record) Encode() ([]byte, error) { return r.encode() }
