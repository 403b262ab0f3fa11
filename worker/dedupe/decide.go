// The two decisions of the package, pure: what an asker is told, and what is done next for a key.

package dedupe

import (
	"bytes"
	"sync/atomic"
	"time"
)

// Kind is what a Verdict says.
type Kind int

// The kinds of verdict. The zero Kind is not told to anybody.
const (
	Answered   Kind = iota + 1 // Answer holds what the work came to
	Conflict                   // the key stands for another question
	Expired                    // the asker's time ended first
	Overloaded                 // no new claim is made at present
	Held                       // this query is not admitted at present; Reason says why
	GivenBack                  // this process is closing: let another one serve it
)

// Source tells how an answer relates to the ask that it is told to.
type Source int

// The sources of an answer.
const (
	Asked      Source = iota + 1 // this ask set the work off
	Joined                       // the work was under way for another ask
	Remembered                   // the answer was there before the ask
)

// Verdict is what an asker is told, once.
type Verdict struct {
	Kind   Kind
	Source Source
	Run    string
	Answer []byte
	Failed bool      // the answer says nothing conclusive
	Deaths int       // holders that died over this key before it was given up
	At     time.Time // when the answer was stored, by the store's clock
	Until  time.Time // when it stops being served, by the store's clock
	Mine   bool      // this process stored it
	Record *Record   // whose answer it is, not to be changed; nil for an answer from before the record's
	Read   any       // Outcome.Read of a run of this process that has just ended; nil of any other
	// Memo keeps what a reader made of Answer for all others in this process, for as
	// long as the answer is remembered; nil for an answer from before the record's.
	Memo *atomic.Value

	Reason     string        // Held: what Work.Admit said
	RetryAfter time.Duration // Held: when it may be admitted
}

// wish is the part of an ask that decides.
type wish struct {
	id       string
	question []byte
	stored   time.Time     // when the ask was stored, by the store's clock
	maxAge   time.Duration // how old an answer may be; negative: any age that is still served
	until    time.Time     // when the asker stops waiting, by the store's clock
}

// judge decides what the asker is told of entry e now; ok is false when there
// is nothing to tell him yet.
func judge(e *Entry, w wish, now time.Time) (v Verdict, ok bool) {
	r := &e.Record
	done := e.answerLives(now)
	claimed := r.Phase == Running || r.Phase == Suspect
	p := e.keptLives(now)
	if e.Seq != 0 && (done || claimed || p != nil) && !bytes.Equal(r.Question, w.question) {
		return Verdict{Kind: Conflict}, true
	}
	if done && r.Once {
		if !w.stored.After(e.Time) {
			return e.verdict(w), true
		}
	} else if done && !r.Failed && w.accepts(e.Time) {
		return e.verdict(w), true
	}
	if p != nil && w.accepts(time.UnixMilli(p.AtMs)) {
		return p.verdict(w), true
	}
	if done && r.Failed && !r.Once {
		return e.verdict(w), true
	}
	if !now.Before(w.until) {
		return Verdict{Kind: Expired}, true
	}
	return Verdict{}, false
}

// accepts reports whether an answer stored at t is young enough.
func (w wish) accepts(t time.Time) bool {
	return w.maxAge < 0 || !t.Before(w.stored.Add(-w.maxAge))
}

func (w wish) source(t time.Time) Source {
	if t.After(w.stored) {
		return Joined
	}
	return Remembered
}

func (e *Entry) verdict(w wish) Verdict {
	r := &e.Record
	source := w.source(e.Time)
	if r.Ask != "" && r.Ask == w.id {
		source = Asked
	}
	return Verdict{Kind: Answered, Source: source, Run: r.Run, Answer: r.Answer, Failed: r.Failed,
		Record: r, Memo: e.memo, Deaths: r.Deaths, At: e.Time, Until: e.Time.Add(ms(r.KeepMs))}
}

func (p *Kept) verdict(w wish) Verdict {
	at := time.UnixMilli(p.AtMs)
	return Verdict{Kind: Answered, Source: w.source(at), Run: p.Run, Answer: p.Answer, At: at, Until: at.Add(ms(p.KeepMs))}
}

// act is what is done next for a key that somebody still waits for.
type act int

const (
	actWait    act = iota // until a change, or until the time given
	actClaim              // nobody holds the key: claim it
	actTake               // the holder is given up: claim it from him
	actSuspect            // the holder was silent for a whole lease: say so
	actGiveUp             // the holder is given up and the work is not run again
)

// step is an act and the sequence that it expects in the store.
type step struct {
	act    act
	expect uint64
	wait   time.Duration // actWait: no longer than this
}

// decide says what is done next for entry e, of which nobody waiting could be
// told anything. silent is how long this process has known this revision.
func (o *Options) decide(e *Entry, silent time.Duration, now time.Time) step {
	r := &e.Record
	switch {
	case e.Seq == 0:
		return step{act: actClaim}
	case r.Phase == Running:
		if left := ms(r.LeaseMs) - silent; left > 0 {
			return step{act: actWait, wait: left}
		}
		return step{act: actSuspect, expect: e.Seq}
	case r.Phase == Suspect:
		if left := o.Grace - silent; left > 0 {
			return step{act: actWait, wait: left}
		}
		if r.Deaths+1 >= o.MaxDeaths || o.AfterCrash == Fail {
			return step{act: actGiveUp, expect: e.Seq}
		}
		return step{act: actTake, expect: e.Seq}
	}
	if r.Deaths >= o.MaxDeaths && r.Phase == Released {
		return step{act: actGiveUp, expect: e.Seq}
	}
	if !e.read && now.After(e.ends().Add(ttlSlack)) {
		return step{act: actClaim} // the store has let it go
	}
	return step{act: actClaim, expect: e.Seq}
}

// ttlSlack is how late a store may let an ended record go: it rounds up to
// whole seconds and sweeps a few times a second (250 ms measured).
const ttlSlack = 1500 * time.Millisecond

// ends is when the store lets a done or released record go, at the earliest.
func (e *Entry) ends() time.Time {
	t := e.Time.Add(releasedTTL)
	if e.Record.Phase == Done {
		t = e.Time.Add(ms(e.Record.KeepMs))
	}
	if p := e.Record.Prev; p != nil {
		if k := time.UnixMilli(p.AtMs + p.KeepMs); k.After(t) {
			t = k
		}
	}
	return t
}
