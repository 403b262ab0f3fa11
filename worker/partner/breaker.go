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
)

// Finding is what the answer to a call says about the partner's settings.
type Finding int

// Findings.
const (
	Nothing Finding = iota // no answer came, or it is about something else
	Good                   // the gateway answered and has nothing against them
	Fault                  // the gateway finds fault with them, whoever is asked about
)

// Run is what Breaker looks at in a run.
type Run struct {
	Key     string // idempotency key of the question, as a token
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
	faults []fault // the latest, with nothing good between
}

type fault struct {
	at  time.Time
	key string
}

// Learn takes in the record as it was read or watched. turned: the partner is halted now and was
// not, or the reverse.
func (b *Breaker) Learn(h Halt, seq uint64) (turned bool) {
	if seq == b.seq {
		return false
	}
	if turned = h.Halted != b.halt.Halted; turned {
		b.faults = nil
	}
	b.halt, b.seq = h, seq
	return turned
}

// Seq is the sequence of the record that was learned last; 0: none was.
func (b *Breaker) Seq() uint64 { return b.seq }

// LearnSince is Learn of a record that was asked for or written when Seq was before: what has been
// learned meanwhile is newer, and holds.
func (b *Breaker) LearnSince(before uint64, h Halt, seq uint64) (turned bool) {
	return b.seq == before && b.Learn(h, seq)
}

// Call decides whether a call may be made at now. After is not 0 where it may not: how long to
// wait. probe is not nil where it may be made only by who has written that first.
func (b *Breaker) Call(now time.Time) (after time.Duration, probe *Write) {
	if !b.halt.Halted {
		return 0, nil
	}
	if b.halt.ProbeAtMs == 0 {
		return probeEvery, nil
	}
	if rest := time.UnixMilli(b.halt.ProbeAtMs).Sub(now); rest > 0 {
		return rest, nil
	}
	next := b.halt
	next.ProbeAtMs = now.Add(probeEvery).UnixMilli()
	return 0, &Write{next, b.seq}
}

// Note takes in a run that ended at now, and decides whether it halts the partner, by name of
// owner, or resumes it. It gives nil where the halt stays as it is.
func (b *Breaker) Note(now time.Time, owner string, r Run) *Write {
	switch r.Finding {
	case Good:
		b.faults = nil
		if b.halt.Halted && b.halt.By != ByOperator {
			return &Write{Halt{}, b.seq}
		}
	case Fault:
		b.faults = slices.DeleteFunc(append(b.faults, fault{now, r.Key}), func(f fault) bool { return now.Sub(f.at) > haltWithin })
		b.faults = b.faults[max(0, len(b.faults)-mostFaults):]
		if !b.halt.Halted && len(b.faults) >= haltFaults && keysOf(b.faults) >= haltKeys {
			return &Write{Halt{Halted: true, SinceMs: now.UnixMilli(), By: owner, Code: r.Code, ProbeAtMs: now.Add(probeEvery).UnixMilli(),
				Reason: "the gateway finds fault with this partner's settings, whoever is asked about"}, b.seq}
		}
	}
	return nil
}

func keysOf(faults []fault) int {
	keys := map[string]bool{}
	for _, f := range faults {
		keys[f.key] = true
	}
	return len(keys)
}
