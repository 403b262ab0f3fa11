// The record of a key: what every process reads and one at a time may write.

package dedupe

import (
	"math"
	"sync/atomic"
	"time"
)

// Phase is where a key stands in its life.
type Phase string

// The phases of a record. A key without a record is absent.
const (
	Running  Phase = "running"
	Suspect  Phase = "suspect"
	Released Phase = "released"
	Done     Phase = "done"
)

// Record is the state of one key as it is stored, a msgpack map. It is full: pack.Fields writes no more than 15 fields.
type Record struct {
	Owner    string `msgpack:"owner"` // the process that wrote the claim; first, see written
	Phase    Phase  `msgpack:"phase"`
	Run      string `msgpack:"run"`                // identity of the work, and of its answer
	Ask      string `msgpack:"ask,omitempty"`      // identity of the ask that set the run off
	Attempt  int    `msgpack:"attempt,omitempty"`  // 1-based, of the run
	BegunMs  int64  `msgpack:"begun_ms,omitempty"` // unix ms of the store's clock when this attempt was about to begin
	Journal  []byte `msgpack:"journal,omitempty"`  // what the run wrote down of the attempts before, or of all when done; opaque
	Deaths   int    `msgpack:"deaths,omitempty"`   // holders that fell silent or panicked
	LeaseMs  int64  `msgpack:"lease_ms,omitempty"` // how long a silent holder is believed alive
	Question []byte `msgpack:"question,omitempty"` // hash of what was asked under the key
	Answer   []byte `msgpack:"answer,omitempty"`   // done only; opaque
	KeepMs   int64  `msgpack:"keep_ms,omitempty"`  // done only: how long the answer is served, from the record's own time
	// Failed marks an answer that says nothing conclusive: it is served to all
	// while it is kept (a cool-down), and never becomes a Prev.
	Failed bool `msgpack:"failed,omitempty"`
	// Once marks an answer that is final for those who had asked before it was
	// stored and is served to nobody else.
	Once bool  `msgpack:"once,omitempty"`
	Prev *Kept `msgpack:"prev,omitempty"`
}

// Kept is an earlier answer that is still served to those who accept its age.
type Kept struct {
	Run    string `msgpack:"run"`
	Answer []byte `msgpack:"answer"`
	AtMs   int64  `msgpack:"at_ms"`   // unix ms of the store's clock when it was stored
	KeepMs int64  `msgpack:"keep_ms"` // served until AtMs + KeepMs
}

// Entry is a record as it stands in the store.
type Entry struct {
	Key    string
	Seq    uint64    // the fencing token; 0 means absent
	Time   time.Time // the store's clock when it was written
	Record Record
	// memo is for whoever reads the answer, see Verdict.Memo; made when the entry is taken in.
	memo *atomic.Value
	// seen is from when on this revision is known to have stood, on this process's own
	// monotonic clock: when it was heard of, or sighted before (see Sighted).
	seen time.Time
	// read is true when the store was asked, so that Seq is what it holds now;
	// false when the entry was heard of, and may have ended meanwhile.
	read bool
}

// maxRecord bounds what is read from the store, in bytes: an answer and its
// predecessor, a journal, and room.
const maxRecord = 64 << 10

// written reports whether an encoded record names owner, without decoding it.
func written(b []byte, owner string) bool {
	const name = "\xa5owner" // after the head of a map of less than 16 names
	if len(b) < len(name)+2 || string(b[1:len(name)+1]) != name {
		return false
	}
	b = b[len(name)+1:]
	n := int(b[0] & 0x1f)
	return b[0]&0xe0 == 0xa0 && len(b) > n && string(b[1:n+1]) == owner
}

// answerLives reports whether a done record's own answer is still served.
func (e *Entry) answerLives(now time.Time) bool {
	r := &e.Record
	return r.Phase == Done && now.Before(e.Time.Add(ms(r.KeepMs)))
}

// keptLives returns the earlier answer if there is one that is still served.
func (e *Entry) keptLives(now time.Time) *Kept {
	p := e.Record.Prev
	if p == nil || !now.Before(time.UnixMilli(p.AtMs+p.KeepMs)) {
		return nil
	}
	return p
}

// carried is what a new claim over e hands on: e's own answer when it is
// conclusive, else the one before it.
func (e *Entry) carried(now time.Time) *Kept {
	if e.Seq == 0 {
		return nil
	}
	r := &e.Record
	if r.Failed || !e.answerLives(now) {
		return e.keptLives(now)
	}
	return &Kept{Run: r.Run, Answer: r.Answer, AtMs: e.Time.UnixMilli(), KeepMs: r.KeepMs}
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// wholeSeconds rounds a time to live up, as the server cuts fractions off and
// refuses less than a second.
func wholeSeconds(d time.Duration) time.Duration {
	return time.Duration(math.Ceil(math.Max(d.Seconds(), 1))) * time.Second
}
