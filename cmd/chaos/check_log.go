//go:build unix

// The checker's part on the query log (I5): every call was meant before it was made and is written down after it, and so is
// every ask.

package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/worker/querylog/database"
)

// logged counts what the query log came to.
type logged struct {
	calls, attempts, cut int // in the gateway's log; in the query log, whole and cut by a death
	vain                 int // attempts while nobody could reach the gateway, which need not have come to a call
	unmeant              int // calls without a claim or its renewal before them
	unlogged, uncalled   int // calls without an attempt; attempts without a call
	asks, missing        int // asks that were told something; those without a line that says the same
	forgotten            int // asks answered from memory whose batch of lines went with a worker
	strange              int // lines of asks that nobody made
}

// log compares the gateway's log, the records and the askers' logs with the database.
func (v *verdict) log(t *testimony) {
	if t.Log == nil {
		return
	}
	l := logged{}
	l.countCalls(v, t)
	l.countAsks(v, t)
	v.figure("calls in the gateway's log; attempts in the query log", fmt.Sprintf("%d; %d, %d cut, %d in vain", l.calls, l.attempts, l.cut, l.vain), "each has its own")
	v.figure("asks that were told something; those with a line of it", fmt.Sprintf("%d; %d, and %d from memory lost with a worker", l.asks, l.asks-l.missing-l.forgotten, l.forgotten), "all")
	for _, c := range []struct {
		n    int
		what string
	}{
		{l.unmeant, "calls before which no claim was stored"}, {l.unlogged, "calls that are not in the query log"}, {l.uncalled, "attempts in the query log without a call"},
		{l.missing, "asks without their line in the query log"}, {l.strange, "lines in the query log of asks that nobody made"},
	} {
		if c.n != 0 {
			v.breaks("%d %s", c.n, c.what)
		}
	}
	killings := slices.ContainsFunc(t.Faults, func(f fault) bool { return f.Kind == killed })
	if l.cut > t.unheardClaims() && !killings {
		v.breaks("%d attempts that are said to be cut by a death, and nobody died", l.cut)
	}
	if l.forgotten > 0 && !killings {
		v.breaks("%d asks from memory without their line, and nobody died", l.forgotten)
	}
	if l.calls == 0 || l.asks == 0 {
		v.breaks("the query log was held against nothing: nothing is proved")
	}
}

// unheardClaims counts the claims that were stored just before a server died: the word of them may have died with it, and then
// their holder, who lives, never knew of them. Who takes the key over cannot know that no call was made.
func (t *testimony) unheardClaims() (n int) {
	for _, f := range t.Faults {
		if f.Kind != downed && f.Kind != powerOut {
			continue
		}
		for _, w := range t.Written {
			if w.Phase == "running" && f.At-storing <= w.At && w.At <= f.At {
				n++
			}
		}
	}
	return n
}

// countCalls goes through the accounts that the askers asked about.
func (l *logged) countCalls(v *verdict, t *testimony) {
	tokens := map[string]map[string]bool{} // of an account, in the records
	for _, a := range t.Asks {
		name := a.account()
		if tokens[name] == nil {
			tokens[name] = map[string]bool{}
		}
		tokens[name][a.query().KeyToken()] = true
	}
	calls := map[string][]simulator.Call{}
	for _, c := range t.Calls {
		name := c.Partner + " " + c.Key
		calls[name] = append(calls[name], c)
		l.calls++
	}
	states := map[string][]written{} // of a key, each once
	for _, w := range t.Written {
		if !slices.ContainsFunc(states[w.Key], func(s written) bool { return s.Seq == w.Seq }) {
			states[w.Key] = append(states[w.Key], w)
		}
	}
	for name, list := range calls {
		if tokens[name] == nil {
			l.unmeant += len(list) // of an account that nobody asked about
		}
	}
	for name, keys := range tokens {
		list, meant, runs := calls[name], []int64{}, map[string]bool{}
		for key := range keys {
			for _, w := range states[key] {
				runs[w.Run] = true
				if w.Phase == "running" {
					meant = append(meant, w.At)
				}
			}
		}
		attempts, cut, vain := t.attempts(runs)
		l.attempts, l.cut, l.vain = l.attempts+attempts, l.cut+cut, l.vain+vain
		l.compare(v, list, meant, attempts, cut+vain)
	}
}

// attempts counts the calls that the log has of some runs: whole ones, those cut by a death, and those that were answered
// nothing while the way to the gateway was cut.
func (t *testimony) attempts(runs map[string]bool) (whole, cut, vain int) {
	for run := range runs {
		for _, c := range t.Log.Runs[run] {
			at := c.AtMs * 1000
			away := slices.ContainsFunc(t.Faults, func(f fault) bool {
				return f.Kind == outage && f.At-storing <= at && at <= f.Until || f.severs() && (aside(at, f.At) || aside(at, f.Until))
			})
			switch {
			case c.Cut:
				cut++
			case away && c.HTTPStatus == 0:
				vain++
			default:
				whole++
			}
		}
	}
	return whole, cut, vain
}

// aside says that a call began so shortly before the way was cut, or so shortly after, that it may have been lost on it.
func aside(at, cut int64) bool { return cut-storing <= at && at <= cut+leaving }

// compare holds one account's calls against its claims and its attempts. A worker may die between claim and call, so that an
// attempt that was cut need not have come to one.
func (l *logged) compare(v *verdict, calls []simulator.Call, meant []int64, attempts, open int) {
	slices.Sort(meant)
	slices.SortFunc(calls, func(x, y simulator.Call) int { return cmp.Compare(x.Started, y.Started) })
	for i, c := range calls {
		if i >= len(meant) || meant[i] > c.Started {
			l.unmeant++
			v.Offences = append(v.Offences, fmt.Sprintf("not meant: %s, call %d of %d at %s, %d claims", c.Key, i+1, len(calls), time.UnixMicro(c.Started).Format(clock), len(meant)))
		}
	}
	if n := len(calls) - attempts - open; n > 0 {
		l.unlogged += n
		v.Offences = append(v.Offences, fmt.Sprintf("not logged: %s has %d calls, %d attempts and %d open", calls[0].Key, len(calls), attempts, open))
	}
	if n := attempts - len(calls); n > 0 {
		l.uncalled += n
	}
}

// countAsks looks for the line of each ask.
func (l *logged) countAsks(v *verdict, t *testimony) {
	lines := map[string][]database.Ask{}
	for _, row := range t.Log.Asks {
		if t.Asks[row.ID] == nil {
			l.strange++
		}
		lines[row.ID] = append(lines[row.ID], row)
	}
	for _, a := range t.Asks {
		if len(a.Told) == 0 {
			continue
		}
		l.asks++
		told := a.Told[0]
		if slices.ContainsFunc(lines[a.ID], func(row database.Ask) bool {
			return row.Run == told.Run && row.Outcome == told.Outcome && row.Code == told.Code
		}) {
			continue
		}
		if told.Source == "remembered" {
			l.forgotten++
			continue
		}
		l.missing++
		v.Offences = append(v.Offences, fmt.Sprintf("no line: %s (%s) was told %+v, the log says %+v", a.ID, a.Door, told, lines[a.ID]))
	}
}
