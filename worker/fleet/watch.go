// Which members are suspected, and when a suspect may be sealed.

package fleet

import (
	"maps"
	"slices"
	"time"

	"protocolq/worker/journal"
)

// WatchOptions are how long a member may be silent.
type WatchOptions struct {
	// Silence is for how long it may send no beat or batch; 0 is 3 s.
	Silence time.Duration
	// Mute is for how long its subject may have no responders; 0 is 1 s.
	Mute time.Duration
	// Late is the time after which, without an acknowledgement of an own batch or a call of Look, time
	// no longer counts against others; 0 is 500 ms.
	Late time.Duration
	// Echo is the time after which, without an own beat that came back, time does not count; 0 is
	// 1.2 s, as beats are sent every 500 ms.
	Echo time.Duration
}

// Suspicion is what a watch thinks of a member.
type Suspicion uint8

// The suspicions.
const (
	// Calm: it lives, or this cannot be known.
	Calm Suspicion = iota
	// Prove: it is suspected. The member that is to seal it must first show by a batch that it can
	// write itself.
	Prove
	// Seal: it may be sealed, by an append to its subject that expects its last batch.
	Seal
)

// Watch measures how long the members of a fleet are silent, on one member's monotonic clock.
// Silence counts only while the watching member's own batches are acknowledged and its own beats
// come back. When the servers elect a leader or are restarted, or the watching member itself is cut
// off, all others seem silent, and none is sealed. After such a gap the count starts again.
type Watch struct {
	o      WatchOptions
	signs  map[journal.Member]time.Duration // when each gave its last sign of life
	mute   map[journal.Member]time.Duration // since when its subject has no responders
	anew   time.Duration                    // silence counts from here
	looked time.Duration
	echo   time.Duration // when an own beat came back last
	sent   time.Duration // first sending of the own batch that is on its way; -1: none
	proved time.Duration // first sending of the last own batch that was acknowledged
}

// NewWatch begins to watch at a time.
func NewWatch(o WatchOptions, now time.Duration) *Watch {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Silence, 3*time.Second)
	def(&o.Mute, time.Second)
	def(&o.Late, 500*time.Millisecond)
	def(&o.Echo, 1200*time.Millisecond)
	return &Watch{
		o: o, signs: map[journal.Member]time.Duration{}, mute: map[journal.Member]time.Duration{},
		anew: now, looked: now, echo: now, sent: -1, proved: -1,
	}
}

// Sign notes a beat or a batch of a member.
func (w *Watch) Sign(m journal.Member, now time.Duration) {
	w.signs[m] = now
	delete(w.mute, m)
}

// Mute notes that a member's subject has no responders.
func (w *Watch) Mute(m journal.Member, now time.Duration) {
	if _, since := w.mute[m]; !since {
		w.mute[m] = now
	}
}

// Echo notes that an own beat has come back by way of the server.
func (w *Watch) Echo(now time.Duration) { w.echo = now }

// Gone forgets a member that is sealed.
func (w *Watch) Gone(m journal.Member) {
	delete(w.signs, m)
	delete(w.mute, m)
}

// Keep forgets all members but those that live: a beat, or the silence of a subject, may be noted
// after the seal.
func (w *Watch) Keep(live []*Member) {
	gone := func(m journal.Member, _ time.Duration) bool {
		return !slices.ContainsFunc(live, func(l *Member) bool { return l.ID == m })
	}
	maps.DeleteFunc(w.signs, gone)
	maps.DeleteFunc(w.mute, gone)
}

// Silent is for how long a member has given no sign of life.
func (w *Watch) Silent(m journal.Member, now time.Duration) time.Duration { return now - w.signs[m] }

// Sent notes the first sending of an own batch.
func (w *Watch) Sent(now time.Duration) { w.sent = now }

// Acknowledged notes that the own batch on its way is stored.
func (w *Watch) Acknowledged(now time.Duration) {
	if w.sent >= 0 && now-w.sent > w.o.Late {
		w.Gap(now)
	}
	w.proved, w.sent = max(w.proved, w.sent), -1
}

// Gap notes that something was missing: the connection, a message of the log, or time in which the
// process did not run.
func (w *Watch) Gap(now time.Duration) {
	w.anew = now
	clear(w.mute)
}

// Look has to be called more often than every Late. Time without a call, because the process was
// frozen, counts against no member.
func (w *Watch) Look(now time.Duration) {
	if now-w.looked > w.o.Late || w.sent >= 0 && now-w.sent > w.o.Late || now-w.echo > w.o.Echo {
		w.Gap(now)
	}
	w.looked = now
}

// Suspect is what the watch thinks of a member.
func (w *Watch) Suspect(m journal.Member, now time.Duration) Suspicion {
	from := max(w.signs[m], w.anew) + w.o.Silence
	if since, mute := w.mute[m]; mute {
		from = min(from, max(since, w.anew)+w.o.Mute)
	}
	switch {
	case now < from:
		return Calm
	case w.proved < from:
		return Prove
	}
	return Seal
}
