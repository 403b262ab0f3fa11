// Breaker: when a partner is halted, probed and resumed. Decisions only, without a clock, a lock or
// a store.

package partner

import (
	"slices"
	"time"
)

// A partner is halted after this many answers that reject its settings, for this many keys, within
// this time, and with no good answer between. One unusual query cannot cause a halt.
const (
	haltFaults = 5
	haltKeys   = 3
	haltWithin = time.Minute
	mostFaults = 4 * haltFaults // faults that are kept
	probeEvery = time.Minute
	probeCalls = 5 // calls that one probe may make until one of them has a finding
)

// Finding is what a call's answer says about the partner's settings.
type Finding int

// Findings.
const (
	Nothing Finding = iota // no answer came, or it is about something else
	Good                   // the gateway answered and accepts the partner's settings
	Fault                  // the gateway rejects the partner's settings, for any account
)

// Run is the part of a run that Breaker uses.
type Run struct {
	Key     string // idempotency key of the question, as a token; needed for a Fault
	Code    string // the gateway's
	Finding Finding
}

// Write is a halt to write if the record still has the sequence Seq.
type Write struct {
	Halt Halt
	Seq  uint64
}

// Breaker is what one process knows about a partner: the shared halt, and the faults that it has
// seen itself. The zero value is for a partner without a record. Not safe for concurrent use.
//
//	        5 faults over 3 keys in a minute, nothing good between
//	open ─────────────────────────────────────────────────────────► halted ──┐
//	  ▲                                                               │  ▲   │ each minute
//	  └─────────── a good answer, unless an operator halted it ◄──────┘  └───┘ one call: the probe
type Breaker struct {
	halt   Halt
	seq    uint64
	older  bool    // the last record read was an older one, and was not used
	tries  int     // calls that this process may still make for its probe
	faults []fault // the latest, with no good answer between
}

type fault struct {
	at  time.Time
	key string
}

// Learn applies a record from the watch. A record older than the known one came late, and is
// ignored. turned: the partner is halted now and was not before, or the reverse.
func (b *Breaker) Learn(h Halt, seq uint64) (turned bool) { return seq > b.seq && b.learn(h, seq) }

// Seq is the sequence of the last applied record; 0: none.
func (b *Breaker) Seq() uint64 { return b.seq }

// LearnSince applies a record that was read or written when Seq was before. If another record has
// been applied meanwhile, that one is newer and stays. A record older than before is applied when
// it is read twice in a row: after one read, a replica may just lag; after two, the records were
// made anew.
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

// Call decides whether a call may be made at now. If not, after is the time to wait. If probe is
// not nil, only the process that writes it first may make the call.
func (b *Breaker) Call(now time.Time) (after time.Duration, probe *Write) {
	if !b.halt.Halted {
		return 0, nil
	}
	if b.halt.ProbeAtMs == 0 {
		return probeEvery, nil
	}
	// A probe further away than any process writes is from a clock that was set back.
	if rest := time.UnixMilli(b.halt.ProbeAtMs).Sub(now); 0 < rest && rest <= 2*probeEvery {
		return rest, nil
	}
	next := b.halt
	next.ProbeAtMs = now.Add(probeEvery).UnixMilli()
	return 0, &Write{next, b.seq}
}

// Probes notes that this process has written a probe, and makes its first call.
func (b *Breaker) Probes() { b.tries = probeCalls - 1 }

// ProbeAgain allows another call of a probe that has no finding yet, one after another: the call
// before was not sent, or failed for another reason.
func (b *Breaker) ProbeAgain() bool {
	if b.tries == 0 || !b.halt.Halted {
		return false
	}
	b.tries--
	return true
}

// Note applies a run that ended at now, and decides whether it halts the partner, in the name of
// owner, or resumes it. It returns nil if the halt stays unchanged.
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

// Repaired returns the halt after the partner's key was repaired: if a worker wrote the halt, a
// probe may go at once. ok is false if the halt stays unchanged.
func Repaired(now time.Time, h Halt) (next Halt, ok bool) {
	if !h.Halted || h.By == ByOperator || h.ProbeAtMs != 0 && h.ProbeAtMs <= now.UnixMilli() {
		return h, false
	}
	h.ProbeAtMs = now.UnixMilli()
	return h, true
}

// soonerThan reports whether the halt is allows calls sooner than the halt was.
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
