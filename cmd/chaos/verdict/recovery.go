//go:build unix

// How long a fault was still felt: by those who waited when a worker was lost, and in the answers
// when the gateway was back.

package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// busy is how much longer a machine with other work may need: new workers come late, and so do the
// askers that wait for them.
const busy = 16 * time.Second

// recovery is the longest p99 from a worker's loss to the answers of those who waited.
func (b Bounds) recovery() time.Duration {
	if b.Recovery == 0 {
		return math.MaxInt64
	}
	return b.Recovery + busy
}

// Clock is the printed form of times, also those of faults.
const Clock = "15:04:05.000"

// clock is a time in unix microseconds in its printed form; 0 is never.
func clock(at int64) string {
	if at == 0 {
		return "no time"
	}
	return time.UnixMicro(at).Format(Clock)
}

// recovery measures the waits of those who were waiting when a worker was lost, from the last such
// fault before their answer, or from when their stream had what they submitted: until then no
// worker knows of it. While the servers stand still by themselves, nobody waits for a worker.
func (v *Verdict) recovery(t *Evidence, most time.Duration) {
	type wait struct {
		of          *Ask
		took, still time.Duration
	}
	var waits []wait
	for _, a := range t.Asks {
		if len(a.Replies) == 0 {
			continue
		}
		last := int64(0)
		for _, f := range t.Faults {
			if f.excuses() && a.Sent <= f.At && f.At < a.Replies[0].At {
				last = f.At
			}
		}
		if last > 0 {
			told := a.Replies[0].At
			from := min(max(last, a.Acked), told)
			still := t.stoodStill(from, told)
			waits = append(waits, wait{a, time.Duration(told-from)*time.Microsecond - still, still})
		}
	}
	if len(waits) == 0 {
		return
	}
	slices.SortFunc(waits, func(x, y wait) int { return cmp.Compare(x.took, y.took) })
	v.P50, v.P99 = waits[len(waits)/2].took, waits[len(waits)*99/100].took
	if v.P99 <= most {
		return
	}
	for _, w := range waits[max(0, len(waits)-10):] {
		told := w.of.Replies[0]
		v.Offences = append(v.Offences, fmt.Sprintf("waited: %s for %v after a fault, and for %v of servers that "+
			"stood still: %s, sent at %s, stored at %s, told %s %s of run %s at %s", w.of.ID, w.took, w.still,
			w.of.Door, clock(w.of.Sent), clock(w.of.Acked), told.Outcome, told.Source, told.Run, clock(told.At)))
	}
}

// back measures how long the gateway's trouble was still visible in the answers when it was over.
func (v *Verdict) back(t *Evidence) {
	mended := int64(0)
	for _, f := range t.Faults {
		if f.severs() {
			mended = max(mended, f.Until)
		}
	}
	for _, a := range t.Asks {
		for _, told := range a.Replies {
			if told.Outcome == "unknown" && mended > 0 {
				v.Back = max(v.Back, time.Duration(told.At-mended)*time.Microsecond)
			}
		}
	}
}
