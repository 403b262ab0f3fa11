//go:build unix

// The checker: from what the witnesses saw to a verdict, and nothing else.

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"protocolq/gateway/simulator"
)

// bounds say what a scenario allows beyond the promises.
type bounds struct {
	Excused  bool          // calls that a dead, frozen or cut-off worker had under way may be made again
	Thawed   bool          // a worker may freeze between its last look at the fence and the request's departure
	Failing  bool          // the gateway fails, so that a call without an answer is followed by another
	Wiped    bool          // the records were deleted: what was asked before may be asked again, once
	Unknown  bool          // answers that settle nothing are to be expected
	Back     time.Duration // from the gateway's return until every answer settles something; 0: not held to one
	Recovery time.Duration // p99 from a worker's death to the answers of those who waited; 0: not held to one
	Window   time.Duration // how long an answer is remembered; 0: longer than the scenario lasts
	Lies     bool          // the gateway lies, and must be seen to
	Load     *loadBounds   // what the gateway may be asked; nil: not held to any
}

// Slack, in microseconds, for what lies between an event and its witness on a busy machine.
const (
	storing = 500_000   // from the gateway's answer to its record
	thawing = 1_000_000 // from SIGCONT to a request that had passed the fence before
	leaving = 50_000    // of a message on its way
)

// verdict is one row of the table.
type verdict struct {
	Asked, Lost, Unanswered, Unknown int
	Calls, Keys                      int
	Overlapping, FrozenCalls         int // calls beside another of their account; those of a thawed worker, apart
	Doubles                          int // conclusive answers beyond the first that no fault explains
	Reruns, InFlight                 int // further calls that a fault explains; calls under way at those faults
	Repeats                          int // further calls that nothing explains
	Refused                          uint64
	FalseNo, FalseYes                int
	Unfounded                        int // answers told that the gateway never gave
	Untold, Split, Overwritten       int // answers told and not written; runs with two answers; conclusive records replaced
	TwiceTold                        int // durable replies beyond the first of an ask
	Escaped                          int
	P50, P99                         time.Duration // from a fault to the answers of those who waited
	Back                             time.Duration // from the gateway's return to the last answer that settles nothing
	Broken                           []string
	Offences                         []string // the calls that are behind Broken
	Figures                          []figure // what has no column of its own
}

// judge holds the testimony against the promises.
func judge(t *testimony, b bounds) verdict {
	v := verdict{Refused: t.Fenced, Escaped: len(t.Escaped), Figures: slices.Clone(t.Figures)}
	slices.SortFunc(t.Faults, func(x, y fault) int { return cmp.Compare(x.At, y.At) })
	v.answers(t)
	v.calls(t, b)
	v.records(t, b.Window)
	v.recovery(t)
	v.back(t)
	v.hold(t, b)
	v.load(t, b.Load)
	v.log(t)
	v.rest(t)
	v.lied(t, b.Lies)
	if t.Looked > 0 {
		v.figure("looked through for secrets and people", fmt.Sprintf("%.1f MB, %d found", float64(t.Looked)/1e6, len(t.Leaks)), "0 found")
	}
	return v
}

// truth is what an account's part says, by the practice gateway's naming.
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
	return "" // not an account whose answer is known before
}

// answers looks at what every ask came to.
func (v *verdict) answers(t *testimony) {
	given := map[string]bool{}
	for _, c := range t.Calls {
		// A code names no account, so that nobody can tell that it was given for another.
		code := c.Fault == "other-account" && (strings.HasPrefix(c.Key, "abnormal") || strings.HasPrefix(c.Key, "no-sign-customer"))
		given[c.Partner+" "+c.Key] = given[c.Partner+" "+c.Key] || c.Conclusive || code
	}
	for _, a := range t.Asks {
		v.Asked++
		switch {
		case len(a.Told) > 0:
		case a.Acked > 0 && t.Dead[a.ID] == "":
			v.Lost++
		case a.Acked == 0:
			v.Unanswered++
		}
		if a.Acked > 0 && len(a.Told) > 1 {
			v.TwiceTold += len(a.Told) - 1
		}
		for _, told := range a.Told {
			is := truth(a.Email)
			if told.settles() && !given[a.account()] {
				v.Unfounded++
			}
			switch told.Outcome {
			case "unknown", "refused":
				v.Unknown++
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
	}
}

// calls looks at the gateway's log, account by account.
func (v *verdict) calls(t *testimony, b bounds) {
	accounts := map[string][]simulator.Call{}
	wires := wiresOf(t.Calls)
	for _, c := range t.Calls {
		accounts[c.Partner+" "+c.Key] = append(accounts[c.Partner+" "+c.Key], c)
		if wires.inDoubt(c, t.Faults) {
			v.InFlight++
		}
	}
	v.Calls, v.Keys = len(t.Calls), len(accounts)
	for _, calls := range accounts {
		slices.SortFunc(calls, func(x, y simulator.Call) int { return cmp.Compare(x.Started, y.Started) })
		for i := 1; i < len(calls); i++ {
			v.further(t, b, wires, calls[:i], calls[i])
		}
	}
}

// wires are the starts of all calls by their connection: a worker that is dead, frozen or cut off begins no call, so its
// connections are those that fall silent.
type wires map[uint64][]int64

func wiresOf(calls []simulator.Call) wires {
	w := wires{}
	for _, c := range calls {
		w[c.Conn] = append(w[c.Conn], c.Started)
	}
	return w
}

// inDoubt reports whether c was under way at a worker when that was lost, its answer on the way into the store included:
// then nobody can know what came of it.
func (w wires) inDoubt(c simulator.Call, faults []fault) bool {
	return slices.ContainsFunc(faults, func(f fault) bool {
		if f.severs() && (between(f.At, c) || f.Until != 0 && between(f.Until, c)) {
			return true // the answer may have been on the way that was cut
		}
		if !f.excuses() || c.Started > f.At+leaving || f.At > c.Ended+storing {
			return false
		}
		return !slices.ContainsFunc(w[c.Conn], func(at int64) bool { return at > f.At+leaving && (f.Until == 0 || at < f.Until) })
	})
}

// between reports whether the way to the gateway was cut at a moment when c, or its answer, was on it.
func between(at int64, c simulator.Call) bool { return c.Started <= at && at <= c.Ended+leaving }

// further looks at a call of an account that was called before.
func (v *verdict) further(t *testimony, b bounds, w wires, before []simulator.Call, c simulator.Call) {
	last := before[len(before)-1]
	// An answer that nobody may have heard does not count.
	conclusive := slices.ContainsFunc(before, func(p simulator.Call) bool { return p.Conclusive && !(b.Excused && w.inDoubt(p, t.Faults)) })
	beside := slices.ContainsFunc(before, func(p simulator.Call) bool { return p.Ended > c.Started })
	// A worker that stopped between its last look at the fence and the request's departure sends it when it wakes.
	thawed := slices.ContainsFunc(t.Faults, func(f fault) bool {
		return f.Kind == stopped && f.Until > 0 && f.Until <= c.Started && c.Started <= f.Until+thawing
	})
	excused := b.Excused && w.inDoubt(last, t.Faults)
	renewed := b.Wiped && slices.ContainsFunc(t.Faults, func(f fault) bool { return f.Kind == wiped && last.Started <= f.At && f.At <= c.Started })
	forgotten := b.Window > 0 && c.Started >= last.Ended+b.Window.Microseconds()
	switch {
	case forgotten && !beside:
	case thawed && b.Thawed && (beside || conclusive && !excused):
		v.FrozenCalls++
	case beside:
		v.Overlapping++
		v.offence("overlapping", last, c)
	case b.Failing && !conclusive && !last.Conclusive: // the next attempt
	case excused || renewed:
		v.Reruns++
	case conclusive && c.Conclusive:
		v.Doubles++
		v.offence("double", last, c)
	default:
		v.Repeats++
		v.offence("repeat", last, c)
	}
}

func (v *verdict) offence(what string, last, c simulator.Call) {
	v.Offences = append(v.Offences, fmt.Sprintf("%s: %s, called at %s (%s) on connection %d and at %s (%s) on connection %d", what, c.Key,
		time.UnixMicro(last.Started).Format(clock), last.Answer, last.Conn, time.UnixMicro(c.Started).Format(clock), c.Answer, c.Conn))
}

// clock is how moments are printed, those of faults, too.
const clock = "15:04:05.000"

// records looks at what was written, and whether what was told is among it.
func (v *verdict) records(t *testimony, window time.Duration) {
	slices.SortFunc(t.Written, func(x, y written) int { return cmp.Compare(x.Seq, y.Seq) })
	done, settled := map[string]bool{}, map[string]written{}
	for _, w := range t.Written {
		if w.Phase != "done" {
			continue
		}
		done[w.Run] = true
		before, is := settled[w.Key]
		if is && before.Run != w.Run && (window == 0 || w.At < before.At+window.Microseconds()) {
			v.Overwritten++
		}
		if w.Conclusive {
			settled[w.Key] = w
		}
	}
	said := map[string]string{}
	for _, a := range t.Asks {
		for _, told := range a.Told {
			if told.Run == "" || told.Outcome == "unknown" || told.Outcome == "refused" {
				continue
			}
			if !done[told.Run] {
				v.Untold++
			}
			if before := said[told.Run]; before != "" && before != told.Outcome+told.Code {
				v.Split++
			}
			said[told.Run] = told.Outcome + told.Code
		}
	}
}

// recovery measures how long those waited who were waiting when a worker was lost, from the last such fault before their answer.
func (v *verdict) recovery(t *testimony) {
	var took []time.Duration
	for _, a := range t.Asks {
		if len(a.Told) == 0 {
			continue
		}
		last := int64(0)
		for _, f := range t.Faults {
			if f.excuses() && a.Sent <= f.At && f.At < a.Told[0].At {
				last = f.At
			}
		}
		if last > 0 {
			took = append(took, time.Duration(a.Told[0].At-last)*time.Microsecond)
		}
	}
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	v.P50, v.P99 = took[len(took)/2], took[len(took)*99/100]
}

// back measures for how long the gateway's trouble went on in the answers when it was over.
func (v *verdict) back(t *testimony) {
	mended := int64(0)
	for _, f := range t.Faults {
		if f.severs() {
			mended = max(mended, f.Until)
		}
	}
	for _, a := range t.Asks {
		for _, told := range a.Told {
			if told.Outcome == "unknown" && mended > 0 {
				v.Back = max(v.Back, time.Duration(told.At-mended)*time.Microsecond)
			}
		}
	}
}

// hold names every bound that is broken.
func (v *verdict) hold(t *testimony, b bounds) {
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
	zero(v.Untold, "answers told that are not written down")
	zero(v.Split, "runs with two answers")
	if !b.Wiped {
		zero(v.Overwritten, "conclusive records replaced")
		zero(v.TwiceTold, "durable replies beyond the first")
	}
	zero(v.Escaped, "results published where they must not be: "+strings.Join(t.Escaped, " "))
	zero(len(t.Leaks), "places where a secret or a person is seen: "+strings.Join(t.Leaks[:min(len(t.Leaks), 5)], "; "))
	zero(len(t.Panics), "processes panicked: "+strings.Join(t.Panics, " "))
	zero(int(t.Left), "messages left in the streams")
	if v.Reruns > v.InFlight && !b.Wiped {
		v.Broken = append(v.Broken, fmt.Sprintf("%d reruns, only %d calls were under way at the faults", v.Reruns, v.InFlight))
	}
	stops := 0
	for _, f := range t.Faults {
		if f.Kind == stopped {
			stops++
		}
	}
	if v.FrozenCalls > stops {
		v.Broken = append(v.Broken, fmt.Sprintf("%d calls of thawed workers, only %d were frozen", v.FrozenCalls, stops))
	}
	if !b.Unknown {
		zero(v.Unknown, "answers that settle nothing")
	}
	if b.Recovery > 0 && v.P99 > b.Recovery {
		v.Broken = append(v.Broken, fmt.Sprintf("p99 %v after a fault, at most %v", v.P99.Round(time.Millisecond), b.Recovery))
	}
	if b.Back > 0 && v.Back > b.Back {
		v.Broken = append(v.Broken, fmt.Sprintf("the gateway's trouble went on in the answers for %v after its end, at most %v", v.Back.Round(time.Millisecond), b.Back))
	}
	v.Broken = append(v.Broken, t.Surplus...)
}
