// Breaker: when a partner is halted, probed and resumed. Decisions only, without a clock, a lock or
// a store.

package partner

import (
	"slices"
	"time"
)

// When a partner is halted: so many answers that find fault with its settings, over so many keys,
// within so long, and no good one between. One strange query cannot do it.
const (
	haltFaults = 5
	haltKeys   = 3
	haltWithin = time.Minute
	mostFaults = 4 * haltFaults // kept
	probeEvery = time.Minute
	probeCalls = 5 // that one probe may take until one of them finds something out
)

// Finding is what the answer to a call says about the partner's settings.
type Finding int

// Findings.
const (
	Nothing Finding = iota // no answer came, or it is about something else
	Good                   // the gateway answered and accepts the partner's settings
	Fault                  // the gateway rejects the partner's settings, whichever account is asked about
)

// Run is what Breaker looks at in a run.
type Run struct {
	Key     string // idempotency key of the question, as a token; needed of a Fault
	Code    string // the gateway's
	Finding Finding
}

// Write is a halt that is to be written if the record still has the sequence Seq.
type Write struct {
	Halt Halt
	Seq  uint64
}

// Breaker is what one process knows of a partner: the shared halt, and the faults that it has seen
// itself. The zero value is that of a partner without a record. Not safe for concurrent use.
//
//	        5 faults over 3 keys in a minute, nothing good between
//	open ─────────────────────────────────────────────────────────► halted ──┐
//	  ▲                                                               │  ▲   │ each minute
//	  └─────────── a good answer, unless an operator halted it ◄──────┘  └───┘ one call: the probe
type Breaker struct {
	halt   Halt
	seq    uint64
	older  bool    // an older record was read last, and not taken in
	tries  int     // calls that the probe of this process may still take
	faults []fault // the latest, with nothing good between
}

type fault struct {
	at  time.Time
	key string
}

// Learn takes in the record as it was watched. One that is older than what is known comes late, and
// is nothing new. turned: the partner is halted now and was not, or the reverse.
func (b *Breaker) Learn(h Halt, seq uint64) (turned bool) { return seq > b.seq && b.learn(h, seq) }

// Seq is the sequence of the record that was learned last; 0: none was.
func (b *Breaker) Seq() uint64 { return b.seq }

// LearnSince takes in a record that was asked for or written when Seq was before: what has been
// learned meanwhile is newer, and holds. An older record than that is taken in when it is read
// twice in a row: once, a replica may lag behind; twice, the records were made anew.
func (b *Breaker) LearnSince(before uint64, h Halt, seq uint64) (turned bool) {
	switch {
	case b.seq != before || seq == before:
		return false
	case seq < before && !b.older:
		b.older = true
		return false
	}
	return b.learn(h, seq)
}

func (b *Breaker) learn(h Halt, seq uint64) (turned bool) {
	if turned = h.Halted != b.halt.Halted; turned {
		b.faults = nil
	}
	b.halt, b.seq, b.older, b.tries = h, seq, false, 0
	return turned
}

// Call decides whether a call may be made at now. After is not 0 where it may not: how long to
// wait. probe is not nil where only the process that has written it first may make it.
func (b *Breaker) Call(now time.Time) (after time.Duration, probe *Write) {
	if !b.halt.Halted {
		return 0, nil
	}
	if b.halt.ProbeAtMs == 0 {
		return probeEvery, nil
	}
	// A probe that is farther away than any is written is of a clock that was set back.
	if rest := time.UnixMilli(b.halt.ProbeAtMs).Sub(now); 0 < rest && rest <= 2*probeEvery {
		return rest, nil
	}
	next := b.halt
	next.ProbeAtMs = now.Add(probeEvery).UnixMilli()
	return 0, &Write{next, b.seq}
}

// Probes notes that this process has written a probe, and makes its first call.
func (b *Breaker) Probes() { b.tries = probeCalls - 1 }

// ProbeAgain lets a probe that has found nothing out make another call, one after the other: the
// first was not sent after all, or it has failed for another reason.
func (b *Breaker) ProbeAgain() bool {
	if b.tries == 0 || !b.halt.Halted {
		return false
	}
	b.tries--
	return true
}

// Note takes in a run that ended at now, and decides whether it halts the partner, by name of
// owner, or resumes it. It gives nil where the halt stays as it is.
func (b *Breaker) Note(now time.Time, owner string, r Run) *Write {
	if r.Finding != Nothing {
		b.tries = 0
	}
	switch r.Finding {
	case Good:
		b.faults = nil
		if b.halt.Halted && b.halt.By != ByOperator {
			return &Write{Halt{}, b.seq}
		}
	case Fault:
		b.faults = slices.DeleteFunc(append(b.faults, fault{now, r.Key}),
			func(f fault) bool { return now.Sub(f.at) > haltWithin })
		b.faults = b.faults[max(0, len(b.faults)-mostFaults):]
		if !b.halt.Halted && len(b.faults) >= haltFaults && keysOf(b.faults) >= haltKeys {
			return &Write{Halt{Halted: true, SinceMs: now.UnixMilli(), By: owner, Code: r.Code,
				ProbeAtMs: now.Add(probeEvery).UnixMilli(),
				Reason:    "the gateway rejects this partner's settings, whichever account is asked about"}, b.seq}
		}
	}
	return nil
}

// Repaired gives the halt as it is once the partner's key was repaired: where a worker halted it, a
// probe may go at once. ok is false where it stays as it is.
func Repaired(now time.Time, h Halt) (next Halt, ok bool) {
	if !h.Halted || h.By == ByOperator || h.ProbeAtMs != 0 && h.ProbeAtMs <= now.UnixMilli() {
		return h, false
	}
	h.ProbeAtMs = now.UnixMilli()
	return h, true
}

// soonerThan reports whether a partner may be asked for sooner by a halt than by the one before.
func soonerThan(was, is Halt) bool {
	if !is.Halted || !was.Halted {
		return was.Halted
	}
	return is.ProbeAtMs != 0 && (was.ProbeAtMs == 0 || is.ProbeAtMs < was.ProbeAtMs)
}

func keysOf(faults []fault) int {
	keys := map[string]bool{}
	for _, f := range faults {
		keys[f.key] = true
	}
	return len(keys)
}
