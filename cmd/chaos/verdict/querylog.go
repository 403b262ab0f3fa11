//go:build unix

// The checks of the query log (I5): every call was begun before it was made and is logged after it,
// and so is every ask.

package verdict

import (
	"fmt"
	"slices"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

// logged counts the query log's content.
type logged struct {
	calls, attempts, cut int // in the gateway's log; in the query log, complete and cut by a death
	vain                 int // attempts while the gateway was unreachable, which need not have been calls
	unlogged, uncalled   int // calls without an attempt; attempts without a call
	asks, missing        int // asks with a reply; those without a line that says the same
	forgotten            int // asks that a door answered itself, whose lines were lost with their batch
	strange              int // lines of asks that no asker sent
}

// log compares the gateway's log, the records and the askers' logs with the database.
func (v *Verdict) log(t *Evidence, b Bounds) {
	if t.Log == nil {
		return
	}
	l := logged{}
	l.countCalls(v, t)
	l.countAsks(v, t, b)
	v.figure("calls in the gateway's log; attempts in the query log",
		fmt.Sprintf("%d; %d, %d cut, %d in vain", l.calls, l.attempts, l.cut, l.vain), "each has its own")
	v.figure("asks that were told something; those with a line of it",
		fmt.Sprintf("%d; %d, and %d of the doors' own lost with a worker", l.asks, l.asks-l.missing-l.forgotten,
			l.forgotten), "all")
	for _, c := range []struct {
		n    int
		what string
	}{
		{l.unlogged, "calls that are not in the query log"}, {l.uncalled, "attempts in the query log without a call"},
		{l.missing, "asks without their line in the query log"}, {l.strange,
			"lines in the query log of asks that nobody made"},
	} {
		if c.n != 0 {
			v.breaks("%d %s", c.n, c.what)
		}
	}
	killings := slices.ContainsFunc(t.Faults, func(f Fault) bool { return f.Kind == Killed })
	if l.cut > 0 && !killings && !t.silenced() {
		v.breaks("%d attempts that are said to be cut by a death, and nobody died", l.cut)
	}
	if l.forgotten > 0 && !killings {
		v.breaks("%d asks without their line that no journal has, and nobody died", l.forgotten)
	}
	if l.calls == 0 || l.asks == 0 {
		v.breaks("the query log was held against nothing: nothing is proved")
	}
}

// silenced reports whether a live member may have been taken as dead: it was still, or away, or its
// messages were lost.
func (t *Evidence) silenced() bool {
	return slices.ContainsFunc(t.Faults, func(f Fault) bool { return f.silences() && f.Kind != Deposed })
}

// countCalls checks the accounts that were called, or that a run of the journal is about.
func (l *logged) countCalls(v *Verdict, t *Evidence) {
	calls := map[string][]simulator.Call{}
	for _, c := range t.Calls {
		name := c.Partner + " " + c.Key
		calls[name] = append(calls[name], c)
		l.calls++
	}
	// by account: runs that have ended, begins of those that have not
	runs, open := map[string]map[string]bool{}, map[string]int{}
	for life, book := range v.books {
		// what the end of a life removed has no line
		has := func(run string) bool { return life == len(v.books)-1 || t.Log.Runs[run] != nil }
		for account, keys := range book.accounts {
			if runs[account] == nil {
				runs[account] = map[string]bool{}
			}
			for key := range keys {
				open[account] += book.unended(key, has)
			}
		}
		for run, a := range book.ByRun {
			runs[book.accountOf(a.Key)][run] = true
		}
	}
	for account, ended := range runs {
		attempts, cut, vain := t.attempts(ended)
		l.attempts, l.cut, l.vain = l.attempts+attempts, l.cut+cut, l.vain+vain
		l.compare(v, account, len(calls[account]), attempts, cut+vain+open[account])
	}
}

// unended counts the begins of a key that no line reports: of a run that never ended, whose call
// was never sent, or that need not have a line.
func (l *Ledger) unended(key string, has func(run string) bool) (n int) {
	for _, b := range l.byKey[key] {
		if b.Counts && (b.Logged == "" || !has(b.Logged)) {
			n++
		}
	}
	return n
}

// accountOf is the account that a key is about.
func (l *Ledger) accountOf(key string) string {
	for _, a := range l.Asks {
		if a.Key == key {
			return a.Account
		}
	}
	return ""
}

// attempts counts the log's calls of some runs: complete ones, those cut by a death, and those
// without an answer while the way to the gateway was cut, or for their whole time: a busy machine
// may not have brought them to the gateway.
func (t *Evidence) attempts(runs map[string]bool) (whole, cut, vain int) {
	for run := range runs {
		for _, c := range t.Log.Runs[run] {
			at := c.AtMs * 1000
			away := slices.ContainsFunc(t.Faults, func(f Fault) bool {
				// It began so shortly before or after the cut that it may have been lost.
				return f.Kind == Outage && f.At-storing <= at && at <= f.Until || f.parts(at-leaving, at+storing)
			})
			switch {
			case c.Cut:
				cut++
			case (away || c.Code == timedOut) && c.HTTPStatus == 0:
				vain++
			default:
				whole++
			}
		}
	}
	return whole, cut, vain
}

// compare compares one account's calls with its attempts. A worker may die between begin and call,
// so that a cut attempt need not be a call.
func (l *logged) compare(v *Verdict, account string, calls, attempts, open int) {
	if n := calls - attempts - open; n > 0 {
		l.unlogged += n
		v.Offences = append(v.Offences,
			fmt.Sprintf("not logged: %s has %d calls, %d attempts and %d open", account, calls, attempts, open))
	}
	if n := attempts - calls; n > 0 {
		l.uncalled += n
		v.Offences = append(v.Offences,
			fmt.Sprintf("not called: %s has %d attempts, %d calls", account, attempts, calls))
	}
}

// countAsks looks for the line of each ask.
func (l *logged) countAsks(v *Verdict, t *Evidence, b Bounds) {
	lines := map[string][]database.Ask{}
	for _, row := range t.Log.Asks {
		if t.Asks[row.ID] == nil && !b.Strangers {
			l.strange++
		}
		lines[row.ID] = append(lines[row.ID], row)
	}
	for _, a := range t.Asks {
		if len(a.Replies) == 0 {
			continue
		}
		l.asks++
		told := a.Replies[0]
		if slices.ContainsFunc(lines[a.ID], func(row database.Ask) bool {
			// which run is in progress then is not known to all
			same := row.Run == told.Run || told.Code == messages.DeadlinePassed
			return same && row.Outcome == told.Outcome && row.Code == told.Code
		}) {
			continue
		}
		// exactly one line for an ask: that of what the journal settled
		if len(lines[a.ID]) > 0 && t.byDoor(a, b.Pace) {
			continue
		}
		if !v.journalled(a.ID) { // a door answered from memory, or refused: such lines go in batches
			l.forgotten++
			continue
		}
		l.missing++
		v.Offences = append(v.Offences,
			fmt.Sprintf("no line: %s (%s) was told %+v, the log says %+v", a.ID, a.Door, told, lines[a.ID]))
	}
}

// journalled reports whether the journal has an ask of an asker's id.
func (v *Verdict) journalled(id string) bool {
	return slices.ContainsFunc(v.books, func(l *Ledger) bool { return len(l.byID[id]) > 0 })
}

// QueryLog is what the database holds: the calls of each run that the journal names, and every ask.
type QueryLog struct {
	Runs map[string][]database.Call
	Asks []database.Ask
}
