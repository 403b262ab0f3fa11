//go:build unix

// The checker: from the evidence to a verdict, and nothing else.

package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"protocolq/messages"
)

// Bounds are what a scenario allows beyond the promises.
type Bounds struct {
	Excused  bool          // calls of a dead, frozen or cut-off worker may be made again
	Final    bool          // after_crash is fail: who comes later than all that got CRASHED asks anew
	Thawed   bool          // a worker may freeze between its last look at the fence and the request's departure
	Failing  bool          // the gateway fails, so that a call without an answer is followed by another
	Wiped    bool          // the records were deleted: earlier questions may be asked again, once
	Unknown  bool          // answers that settle nothing are to be expected
	Late     bool          // everyone is away for longer than a worker gives an ask without a deadline
	Back     time.Duration // from the gateway's return until every answer settles something; 0: no bound
	Recovery time.Duration // p99 from a worker's death to the answers of waiting askers; 0: no bound
	Window   time.Duration // how long an answer is remembered; 0: longer than the scenario lasts
	Lies     bool          // the gateway lies, and that must be noticed
	Load     *LoadBounds   // what the gateway may be asked; nil: no bounds
	// how far the servers' clocks differ; measurements by two of them have no bounds
	Clocks    time.Duration
	Attempts  int  // calls for one question; 0: 5
	Strangers bool // there are other askers, too
	// submitted queries may be stored again, because their message ids are forgotten, and have a reply
	// for each time
	Repeats  bool
	Resident int  // KiB of additional memory for a worker that has much to remember; 0: none
	Pace     Pace // the workers' times
}

// attempts is the maximum of calls for one question.
func (b Bounds) attempts() int { return cmp.Or(b.Attempts, 5) }

// Slack, in microseconds, between an event and its evidence on a busy machine.
const (
	storing    = 500_000   // from the gateway's answer to its record
	thawing    = 1_000_000 // from SIGCONT to a request that had passed the fence before
	leaving    = 50_000    // of a message on its way
	forgetting = 100_000   // of an answer, at the tick of a clock
)

// Verdict is one row of the table.
type Verdict struct {
	Asked, Lost, Unanswered, Unknown int
	Calls, Keys                      int
	Overlapping, FrozenCalls         int // calls beside another for their account; those of a thawed worker, separately
	Doubles                          int // conclusive answers beyond the first that no fault explains
	Reruns, InFlight                 int // further calls after a death; calls cut by a death
	Repeats                          int // further calls that nothing explains
	Refused                          uint64
	FalseNo, FalseYes                int
	Unfounded                        int // answers that the gateway never gave
	Untold, Split                    int // answers that no journal has; runs with two answers
	Refreshed                        int // further calls because an asker wanted a younger answer
	TwiceTold                        int // durable replies beyond the first of an ask
	Escaped                          int
	P50, P99                         time.Duration // from a fault to the answers of waiting askers
	Back                             time.Duration // from the gateway's return to the last answer that settles nothing
	Broken                           []string
	Offences                         []string // the calls behind Broken
	Figures                          []Figure // measurements without a column

	Journal ofJournal
	Replies ofReplies
	Duties  ofDuties
	books   []*Ledger // the lives of the journal
}

// Judge compares the evidence with the promises.
func Judge(t *Evidence, b Bounds) Verdict {
	v := Verdict{Refused: t.Fenced, Escaped: len(t.Escaped), Figures: slices.Clone(t.Figures)}
	slices.SortFunc(t.Faults, func(x, y Fault) int { return cmp.Compare(x.At, y.At) })
	for _, c := range t.Journal {
		v.books = append(v.books, Fold(c))
	}
	v.answers(t, b)
	v.calls(t, b)
	v.told(t, b)
	v.duties(t)
	v.recovery(t, b.recovery())
	v.back(t)
	v.hold(t, b)
	v.load(t, b.Load)
	v.log(t, b)
	v.rest(t, b.Resident)
	v.lied(t, b.Lies)
	if t.Looked > 0 {
		v.figure("looked through for secrets and people",
			fmt.Sprintf("%.1f MB, %d found", float64(t.Looked)/1e6, len(t.Leaks)), "0 found")
	}
	return v
}

// truth is the answer of an account's part, by the practice gateway's names.
func truth(email string) string {
	part, _, _ := strings.Cut(email, "+")
	switch part {
	case "signed", "debit-only", "refund-only":
		return "signed"
	case "not-signed", "no-sign-customer":
		return "not_signed"
	case "abnormal":
		return "abnormal"
	}
	return "" // not an account with a known answer
}

// answers checks the result of every ask.
func (v *Verdict) answers(t *Evidence, b Bounds) {
	given := map[string]bool{}
	for _, c := range t.Calls {
		// A code names no account, so that a code given for another account cannot be noticed.
		code := c.Fault == "other-account" &&
			(strings.HasPrefix(c.Key, "abnormal") || strings.HasPrefix(c.Key, "no-sign-customer"))
		given[c.Partner+" "+c.Key] = given[c.Partner+" "+c.Key] || c.Conclusive || code
	}
	for _, a := range t.Asks {
		v.Asked++
		switch {
		case len(a.Replies) > 0:
		case a.Acked > 0 && t.Dead[a.ID] == "":
			v.Lost++
		case a.Acked == 0:
			v.Unanswered++
		}
		// an ask that awaits acceptance may be sent again, and is another ask then
		if a.Door == messages.DoorSubmit && len(a.Replies) > 1 {
			v.TwiceTold += len(a.Replies) - v.entitled(a, b)
		}
		for _, told := range a.Replies {
			if told.settles() && !given[a.account()] {
				v.Unfounded++
			}
			v.reply(t, b, a, told)
		}
	}
}

// reply compares one answer with the known answer of the asker's account.
func (v *Verdict) reply(t *Evidence, b Bounds, a *Ask, told reply) {
	is := truth(a.Email)
	switch told.Outcome {
	case "unknown", "refused":
		left := (a.Deadline > 0 || b.Late) && told.Code == messages.DeadlinePassed // an asker that leaves is told so
		if !left && !v.deserted(told.Run) && !t.starved(a.Sent, told) {
			v.Unknown++
		}
	case "not_signed":
		if is != told.Outcome && is != "" {
			v.FalseNo++
		}
	default:
		if is != told.Outcome && is != "" {
			v.FalseYes++
		}
	}
}

// entitled is how many durable replies an ask may have: one for each time that it was submitted,
// and if stored messages are forgotten, one for each time that it was stored.
func (v *Verdict) entitled(a *Ask, b Bounds) (n int) {
	if b.Repeats {
		for _, book := range v.books {
			n += len(book.byID[a.ID])
		}
	}
	return max(n, a.Times, 1)
}

// starved reports whether an asker's patience ended on a machine whose servers stood still, without
// being harmed, for a quarter of that time: a run is stored four times before its answer is told,
// and each of these waits.
func (t *Evidence) starved(sent int64, told reply) bool {
	wait := time.Duration(told.At-sent) * time.Microsecond
	return told.Code == messages.DeadlinePassed && t.stoodStill(sent, told.At) > wait/4
}

// deserted reports whether a run failed after all who wanted it had got DEADLINE: there is no new
// try for them, and a new asker in the cool-down is told the run's result.
func (v *Verdict) deserted(run string) bool {
	return slices.ContainsFunc(v.books, func(l *Ledger) bool { return l.ByRun[run] != nil && l.ByRun[run].Deserted })
}

// abandoned reports whether a run ended with its member after all who wanted it had got DEADLINE.
func (v *Verdict) abandoned(run string) bool {
	return slices.ContainsFunc(v.books, func(l *Ledger) bool { return l.ByRun[run] != nil && l.ByRun[run].Abandoned })
}

// calls checks the gateway's log, account by account.
func (v *Verdict) calls(t *Evidence, b Bounds) {
	accounts := v.journal(t, b)
	v.Calls, v.Keys = len(t.Calls), len(accounts)
	for _, calls := range accounts {
		for i := range calls {
			if calls[i].cut() {
				v.InFlight++
			}
			if i > 0 {
				v.further(t, b, calls[:i], calls[i])
			}
		}
	}
}

// lost reports whether the journal that knew of c was replaced: c began before the other was in its
// place, allowed by the one that is gone.
func (f Fault) lost(c made) bool {
	return (f.Kind == Wiped || f.Kind == Restored) && c.Started <= max(f.At, f.Until)
}

// severed reports whether the way to the gateway was cut while c, or its answer, was on it.
func (t *Evidence) severed(c made) bool {
	return slices.ContainsFunc(t.Faults, func(f Fault) bool { return f.parts(c.Started, c.Ended+leaving) })
}

// further checks a call for an account that was called before.
func (v *Verdict) further(t *Evidence, b Bounds, before []made, c made) {
	last := before[len(before)-1]
	recorded := slices.ContainsFunc(before, func(p made) bool { return p.recordedBy(c.Started) })
	beside := slices.ContainsFunc(before, func(p made) bool { return p.Ended > c.Started })
	// A worker that stopped between its last check of the fence and the request's departure sends it
	// when it wakes.
	thawed := slices.ContainsFunc(t.Faults, func(f Fault) bool {
		return f.Kind == Stopped && f.Until > 0 && f.Until <= c.Started && c.Started <= f.Until+thawing
	})
	rerun := c.begin != nil && last.begin != nil && c.book.follows(c.begin, last.begin.Run) && !recorded
	// The member that called is gone, its run has ended with it, as nobody waited for it any more, and
	// the next asker's begins anew.
	ended := c.begin != nil && last.begin != nil && !recorded && v.abandoned(last.begin.Run)
	later := c.begin != nil && last.begin != nil && c.book.later(c.begin, last.begin.Run)
	renewed := b.Wiped && slices.ContainsFunc(t.Faults, func(f Fault) bool { return f.lost(last) && f.At <= c.Started })
	forgotten := b.Window > 0 && c.Started >= last.Ended+b.Window.Microseconds()-forgetting
	switch {
	case c.refreshes() && !beside:
		v.Refreshed++
	case forgotten && !beside:
	case thawed && b.Thawed && (beside || recorded):
		v.FrozenCalls++
	case beside:
		v.Overlapping++
		v.offence("overlapping", last, c)
	case b.Failing && !recorded && (!last.Conclusive || t.severed(last)): // the next attempt
	case c.begin != nil && last.waited(b.Pace.Call) && !recorded: // the same, on a busy machine
	case b.Excused && (rerun || ended) || renewed || b.Final && later:
		v.Reruns++
	case recorded && c.Conclusive:
		v.Doubles++
		v.offence("double", last, c)
	default:
		v.Repeats++
		v.offence("repeat", last, c)
	}
}

func (v *Verdict) offence(what string, last, c made) {
	v.Offences = append(v.Offences,
		fmt.Sprintf("%s: %s, called at %s (%s) on connection %d and at %s (%s) on connection %d", what, c.Key,
			clock(last.Started), last.Answer, last.Conn, clock(c.Started),
			c.Answer, c.Conn))
}

// hold names every bound that is broken.
func (v *Verdict) hold(t *Evidence, b Bounds) {
	zero := func(n int, what string) {
		if n != 0 {
			v.Broken = append(v.Broken, fmt.Sprintf("%d %s", n, what))
		}
	}
	if v.Asked == 0 || v.Calls == 0 {
		v.Broken = append(v.Broken, "nothing was asked: nothing is proved")
	}
	zero(v.Lost, "accepted and lost")
	zero(v.Unanswered, "unanswered")
	zero(v.Overlapping, "overlapping calls")
	zero(v.Doubles, "conclusive doubles that no fault explains")
	zero(v.Repeats, "further calls that no fault explains")
	zero(v.FalseNo, `false "not signed"`)
	zero(v.FalseYes, "other false answers")
	zero(v.Unfounded, "answers told that the gateway never gave")
	zero(v.Untold, "answers told that no journal has")
	zero(v.Split, "runs with two answers")
	if !b.Wiped {
		zero(v.TwiceTold, "durable replies beyond the first")
	}
	v.holdJournal(zero)
	zero(v.Escaped, "results published where they must not be: "+strings.Join(t.Escaped, " "))
	zero(len(t.Leaks), "places where a secret or a person is seen: "+strings.Join(t.Leaks[:min(len(t.Leaks), 5)], "; "))
	zero(len(t.Panics), "processes panicked: "+strings.Join(t.Panics, " "))
	zero(int(t.Left), "messages left in the streams")
	stops := 0
	for _, f := range t.Faults {
		if f.Kind == Stopped {
			stops++
		}
	}
	if v.FrozenCalls > stops {
		v.Broken = append(v.Broken,
			fmt.Sprintf("%d calls of thawed workers, only %d were frozen", v.FrozenCalls, stops))
	}
	if !b.Unknown {
		zero(v.Unknown, "answers that settle nothing")
	}
	if most := b.recovery(); v.P99 > most {
		v.Broken = append(v.Broken,
			fmt.Sprintf("p99 %v after a fault, at most %v", v.P99.Round(time.Millisecond), most))
	}
	if b.Back > 0 && v.Back > b.Back {
		v.Broken = append(v.Broken,
			fmt.Sprintf("the gateway's trouble went on in the answers for %v after its end, at most %v",
				v.Back.Round(time.Millisecond), b.Back))
	}
	v.Broken = append(v.Broken, t.Surplus...)
}
