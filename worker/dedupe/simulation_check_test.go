// What must hold in every simulation, whatever its seed.

package dedupe_test

import (
	"strings"
	"time"

	"protocolq/worker/dedupe"
)

// begin writes down that an attempt begins. No other may be under way for the
// key, unless its owner is dead or frozen.
func (w *world) begin(p *proc, key, run string) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &call{key: key, run: run, from: time.Now(), excused: p.dead}
	for _, o := range w.calls {
		if o.key == key && o.run != run && o.to.IsZero() && !o.excused {
			w.errorf("%s of %s begins while %s is under way", run, key, o.run)
		}
	}
	w.calls = append(w.calls, c)
	if w.owner == nil {
		w.owner = map[*call]*proc{}
	}
	w.owner[c] = p
	return c
}

func (w *world) done(c *call, conclusive bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.to, c.conclusive = time.Now(), conclusive
}

func (p *proc) owns(c *call) bool { return p.w.owner[c] == p }

// witness sees each change of a record, with the store locked.
func (w *world) witness(was, is *dedupe.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old, now, age := &was.Record, &is.Record, is.Time.Sub(was.Time)
	other := was.Seq != 0 && old.Run != now.Run
	lease := time.Duration(old.LeaseMs) * time.Millisecond
	wrong := ""
	switch {
	case was.Seq == 0:
	case now.Phase == dedupe.Suspect && (old.Phase != dedupe.Running || other || age < lease):
		wrong = "suspected too soon"
	case old.Phase == dedupe.Suspect && now.Phase == dedupe.Running && other && (age < graced || w.afterCrash == dedupe.Fail):
		wrong = "taken over too soon, or at all"
	case old.Phase == dedupe.Suspect && now.Phase == dedupe.Done && now.Owner != old.Owner && age < graced:
		wrong = "given up too soon"
	case old.Phase == dedupe.Running && (other || now.Phase == dedupe.Done || now.Phase == dedupe.Released) && now.Owner != old.Owner:
		wrong = "written over a living holder"
	case old.Phase == dedupe.Done && !other:
		wrong = "answered twice"
	case old.Phase == dedupe.Done && now.Phase != dedupe.Running || old.Phase == dedupe.Released && now.Phase != dedupe.Running && now.Phase != dedupe.Done:
		wrong = "not a step of a key's life"
	case other && now.Phase == dedupe.Running && !w.needed(was, is):
		wrong = "run again though it is remembered"
	case old.Phase == dedupe.Suspect && now.Owner == old.Owner:
		w.seen["over suspect"]++
	}
	if now.Phase == dedupe.Done {
		if before, told := w.said[now.Run]; told && before != string(now.Answer) {
			wrong = "one run with two answers"
		}
		w.said[now.Run] = string(now.Answer)
		if strings.Contains(string(now.Answer), "gave up") {
			w.seen["gave up"]++
		}
	}
	if wrong != "" {
		w.errorf("%s: %+v after %+v, %v later", wrong, *now, *old, age)
	}
}

// needed reports whether an asker at the claiming process accepts none of the
// answers that live. The caller holds mu.
func (w *world) needed(was, is *dedupe.Entry) bool {
	var young []time.Time // when the living answers were stored
	if r := &was.Record; r.Phase == dedupe.Done && !r.Once && is.Time.Before(was.Time.Add(time.Duration(r.KeepMs)*time.Millisecond)) {
		if r.Failed {
			return false // a cool-down holds for everybody
		}
		young = append(young, was.Time)
	}
	if p := was.Record.Prev; p != nil && is.Time.Before(time.UnixMilli(p.AtMs+p.KeepMs)) {
		young = append(young, time.UnixMilli(p.AtMs))
	}
	for _, a := range w.asks {
		if a.at == nil || a.at.name != is.Record.Owner || a.key != is.Key || a.told > 0 {
			continue
		}
		accepts := false
		for _, t := range young {
			accepts = accepts || a.maxAge < 0 || !t.Before(a.stored.Add(-a.maxAge))
		}
		if !accepts {
			if a.maxAge >= 0 && len(young) > 0 {
				w.seen["refresh"]++
			}
			return true
		}
	}
	return false
}

// hearVerdict is told by a process to an asker; the dead tell nobody.
func (w *world) hearVerdict(a *simAsk, p *proc, v dedupe.Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead || a.at != p {
		return
	}
	if a.told++; a.told > 1 {
		w.errorf("an asker of %s was told %d times", a.key, a.told)
	}
	switch v.Kind {
	case dedupe.Expired:
		if time.Now().Before(a.until) {
			w.errorf("expired %v too soon", time.Until(a.until))
		}
	case dedupe.Conflict:
		w.seen["conflict"]++
	case dedupe.Answered:
		if !strings.HasPrefix(string(v.Answer), a.key+" "+a.question+" ") || w.said[v.Run] != string(v.Answer) {
			w.errorf("asked %s %s, told %q of %s, which said %q", a.key, a.question, v.Answer, v.Run, w.said[v.Run])
		}
		if a.maxAge >= 0 && !v.Failed && v.At.Before(a.stored.Add(-a.maxAge)) {
			w.errorf("told an answer of %v, asked at %v for one not older than %v", v.At, a.stored, a.maxAge)
		}
	default:
		w.errorf("told %+v", v)
	}
}

// check is what must hold once all is well again.
func (w *world) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.asks {
		if a.told != 1 {
			w.errorf("an asker of %s at %s was told %d times, %v after the last fault", a.key, a.at.name, a.told, healed)
		}
	}
	for _, p := range w.procs {
		if n := p.group.Parked(); !p.dead && (n != 0 || p.group.InFlight() != 0) {
			w.errorf("%s at rest: %d asks parked, %d runs", p.name, n, p.group.InFlight())
		}
	}
}
