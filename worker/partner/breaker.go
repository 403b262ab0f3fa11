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
	// How long a process takes its own settings for the cause after another's were accepted.
	refutedFor = time.Hour
	// A process whose own probes are rejected leaves that of a halted fleet to the others for so long.
	yields = 5 * time.Second
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

// Write is a halt to write if the record still has the sequence Seq. Own says that it is not for
// the record: it is this process's own halt, for [Breaker.ProbeOwn].
type Write struct {
	Halt Halt
	Seq  uint64
	Own  bool
}

// Breaker is what one process knows about a partner: the shared halt, its own, and the faults that
// it has seen itself. It is not safe for concurrent use.
//
//	        5 faults over 3 keys in a minute, nothing good between
//	open ─────────────────────────────────────────────────────────► halted ──┐
//	  ▲                                                               │  ▲   │ each minute
//	  └─────────── a good answer, unless an operator halted it ◄──────┘  └───┘ one call: the probe
//
// If one process alone has wrong settings, such as a key file of its own, the others need not wait:
// one that had a good answer lately makes a probe at once, except of a halt by one whose halt has
// ended in the last minute. Its good answer ends the halt, and refutes the process that has called
// for it: that one's next halt, within an hour, is its own, which the others do not share. It ends
// like a shared one, or when the settings are corrected or an operator resumes the partner. A
// process whose probe was rejected leaves the next ones to the others for some seconds.
type Breaker struct {
	owner   string // this process
	halt    Halt   // the fleet's
	own     Halt   // this process's alone
	seq     uint64
	older   bool      // the last record read was an older one, and was not used
	tries   int       // calls that this process may still make for its probe
	faults  []fault   // the latest, with no good answer between
	good    time.Time // of the last good answer, with no fault or probe since
	ended   string    // who had written the last halt that ended
	endedAt time.Time // when it did
	claims  time.Time // since when it has seen enough faults for a halt, and nothing good
	lost    bool      // its own probe of a shared halt was rejected
	refuted time.Time // when another's call was accepted while it claimed a halt
}

// NewBreaker makes the Breaker of a process for a partner without a record.
func NewBreaker(owner string) *Breaker { return &Breaker{owner: owner} }

// Halt is the halt that holds this process's calls: the fleet's, or else its own.
func (b *Breaker) Halt() Halt {
	if b.halt.Halted {
		return b.halt
	}
	return b.own
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
	at := time.UnixMilli(h.SinceMs)
	if turned && !h.Halted {
		b.ended, b.endedAt, b.lost = b.halt.By, at, false
	}
	switch {
	case h.Halted:
	case h.By == "": // an operator resumed it
		b.fresh()
	case h.By != b.owner && !b.claims.IsZero() && !at.Before(b.claims.Add(-haltWithin)): // no record from before
		b.claims, b.refuted = time.Time{}, at
	}
	b.halt, b.seq, b.older, b.tries = h, seq, false, 0
	return turned
}

// fresh forgets what is known of this process's own settings.
func (b *Breaker) fresh() {
	b.own, b.faults, b.claims, b.lost, b.refuted = Halt{}, nil, time.Time{}, false, time.Time{}
}

// Corrected says that this process's settings are new: what was found before is about others.
func (b *Breaker) Corrected() {
	b.fresh()
	b.good = time.Time{}
}

// Call decides whether a call may be made at now. If not, after is the time to wait. If probe is
// not nil, only the process that writes it first may make the call.
func (b *Breaker) Call(now time.Time) (after time.Duration, probe *Write) {
	next := b.Halt()
	if !next.Halted {
		return 0, nil
	}
	if next.ProbeAtMs == 0 {
		return probeEvery, nil
	}
	// A probe further away than any process writes is from a clock that was set back.
	rest := time.UnixMilli(next.ProbeAtMs).Sub(now)
	if 0 < rest && rest <= 2*probeEvery && !b.objects(now) {
		return rest, nil
	}
	if rest += yields; b.halt.Halted && (b.own.Halted || b.lost) && 0 < rest && rest <= yields {
		return rest, nil
	}
	next.ProbeAtMs = now.Add(probeEvery).UnixMilli()
	return 0, &Write{next, b.seq, !b.halt.Halted}
}

// objects reports whether this process need not wait to probe a halt of another's: its own calls
// were accepted lately, and no halt by the same one has ended lately.
func (b *Breaker) objects(now time.Time) bool {
	return b.halt.Halted && b.halt.By != ByOperator && lately(b.good, now, haltWithin) &&
		(b.halt.By != b.ended || !lately(b.endedAt, now, probeEvery))
}

func lately(at, now time.Time, within time.Duration) bool {
	return !at.IsZero() && now.Sub(at).Abs() <= within
}

// Probes notes that this process has written a probe, and makes its first call.
func (b *Breaker) Probes() { b.tries, b.good = probeCalls-1, time.Time{} }

// ProbeOwn takes the probe of this process's own halt.
func (b *Breaker) ProbeOwn(h Halt) { b.own = h }

// ProbeAgain allows another call of a probe that has no finding yet, one after another: the call
// before was not sent, or failed for another reason.
func (b *Breaker) ProbeAgain() bool {
	if b.tries == 0 || !b.Halt().Halted {
		return false
	}
	b.tries--
	return true
}

// Note applies a run that ended at now. It returns a halt for the fleet, or the end of one, or nil;
// this process's own halt begins and ends here.
func (b *Breaker) Note(now time.Time, r Run) *Write {
	if r.Finding != Nothing {
		b.tries = 0
	}
	switch r.Finding {
	case Good:
		b.fresh()
		b.good = now
		if b.halt.Halted && b.halt.By != ByOperator {
			return &Write{Halt: Halt{By: b.owner, SinceMs: now.UnixMilli()}, Seq: b.seq}
		}
	case Fault:
		b.good, b.lost = time.Time{}, b.lost || b.halt.Halted
		b.faults = slices.DeleteFunc(append(b.faults, fault{now, r.Key}),
			func(f fault) bool { return now.Sub(f.at) > haltWithin })
		b.faults = b.faults[max(0, len(b.faults)-mostFaults):]
		if b.Halt().Halted || len(b.faults) < haltFaults || keysOf(b.faults) < haltKeys {
			return nil
		}
		h := Halt{Halted: true, SinceMs: now.UnixMilli(), By: b.owner, Code: r.Code,
			ProbeAtMs: now.Add(probeEvery).UnixMilli(), Reason: fleetReason}
		if lately(b.refuted, now, refutedFor) {
			h.Reason = ownReason
			b.own, b.faults = h, nil
			return nil
		}
		if b.claims.IsZero() {
			b.claims = now
		}
		return &Write{Halt: h, Seq: b.seq}
	}
	return nil
}

// Why a worker halts a partner.
const (
	fleetReason = "the gateway rejects this partner's settings, whichever account is asked about"
	ownReason   = "the gateway rejects this worker's settings and accepts another's: compare their key files"
)

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
