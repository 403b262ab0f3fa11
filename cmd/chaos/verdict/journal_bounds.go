//go:build unix

// The checks of the journal: every call was begun in it before it was made, by a member that was
// allowed to, and only then.

package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"protocolq/gateway/simulator"
)

// made is a call with the begin that allowed it, nil if there is none.
type made struct {
	simulator.Call
	begin *begun
	book  *Ledger
	life  int // of the journal
}

// Slack of the journal's bounds, in microseconds.
const (
	fenceSlack = 500_000 // from the last check of the fence to the request's arrival, on a busy machine
	ageSlack   = 300_000 // of an answer's age, which each member measures by its own clock
	leaseSlack = 50_000
	minAge     = 2_000_000 // an answer this young is fresh enough for all
)

// ofJournal is what is counted in the journal.
type ofJournal struct {
	Begins, Reruns, Refreshes int
	Unmeant                   int // calls before which no begin was stored
	Hasty                     int // begins after a cut while calls of the cut member might have gone on
	Unfenced                  int // calls so long after their member's last batch that its lease may have ended
	Beyond                    int // attempts beyond the limit
	Needless                  int // begins of a key whose answer was remembered
	Waiting, Owed             int // asks that nothing settled; settled asks that are not told
}

// journal reads the begins and answers of every life, and finds the begin that allowed each call.
func (v *Verdict) journal(t *Evidence, b Bounds) map[string][]made {
	v.begun(b)
	for _, c := range t.Journal {
		v.holes(c, b)
	}
	begins := v.byAccount()
	v.open()
	v.suspects(t, b)
	return v.allow(t.Calls, begins, b)
}

// begun checks every begin that counts, once, however many lives hold it.
func (v *Verdict) begun(b Bounds) {
	seen := map[string]bool{}
	for i, book := range v.books {
		if i == 0 {
			book.Offences = append(book.Offences, book.Early...)
		}
		if n := len(book.Offences); n > 0 {
			v.breaks("%d entries of the journal that must not be, the first: %s", n, book.Offences[0])
			v.Offences = append(v.Offences, book.Offences...)
		}
		for _, one := range book.begins {
			name := fmt.Sprint(one.Run, " ", one.Attempt)
			if !one.Counts || seen[name] {
				continue
			}
			seen[name] = true
			v.begin(book, one, b)
		}
	}
}

// byAccount returns the begins that count for each account, each once, without calls yet.
func (v *Verdict) byAccount() map[string][]made {
	begins := map[string][]made{}
	seen := map[string]bool{}
	for life, book := range v.books {
		for account, keys := range book.accounts {
			for key := range keys {
				for _, one := range book.byKey[key] {
					name := fmt.Sprint(one.Run, " ", one.Attempt)
					if one.Counts && !seen[name] {
						seen[name] = true
						begins[account] = append(begins[account], made{begin: one, book: book, life: life})
					}
				}
			}
		}
	}
	return begins
}

// holes names parts of the journal that could not be read.
func (v *Verdict) holes(c Chronicle, b Bounds) {
	for _, what := range c.Corrupt {
		v.breaks("a batch of the journal is not what was written: %s", what)
	}
	if len(c.Missed) > 0 && !b.Wiped {
		v.breaks("the journal was purged before it was read, at %v: nothing is proved", c.Missed)
	}
}

// begin checks a begin that counts.
func (v *Verdict) begin(book *Ledger, one *begun, b Bounds) {
	v.Journal.Begins++
	if one.Attempt > b.attempts() {
		v.Journal.Beyond++
		v.Offences = append(v.Offences, fmt.Sprintf("beyond: run %s begins attempt %d", one.Run, one.Attempt))
	}
	if one.Follows != "" {
		v.Journal.Reruns++
		if one.Since > 0 && b.Clocks == 0 && one.Stored < one.Since+b.Pace.Lease.Microseconds()-leaseSlack {
			v.Journal.Hasty++
			v.Offences = append(v.Offences,
				fmt.Sprintf("hasty: run %s follows %s %v after the last batch of its member", one.Run, one.Follows,
					time.Duration(one.Stored-one.Since)*time.Microsecond))
		}
	}
	if one.Again {
		v.breaks("run %s is begun for an ask that has set off one that was answered: set off twice", one.Run)
	}
	r, asked := one.Remembered, book.byPlace[one.Asked]
	if r == nil || asked == nil || asked.Question != r.Question || one.Attempt > 1 && one.Follows == "" {
		return
	}
	age := one.Stored - r.Stored
	switch limited := asked.MaxAge >= 0 && !asked.Given; {
	case limited && (b.Clocks > 0 || age+ageSlack >= max(minAge, asked.MaxAge*1000)):
		v.Journal.Refreshes++
	case age+ageSlack < r.Keep*1000 && b.Clocks == 0:
		v.Journal.Needless++
		v.Offences = append(v.Offences, fmt.Sprintf("needless: run %s begins %v after run %s was remembered for %v",
			one.Run, time.Duration(age)*time.Microsecond, r.Run, time.Duration(r.Keep)*time.Millisecond))
	}
}

// open counts what the newest life leaves unfinished.
func (v *Verdict) open() {
	if len(v.books) == 0 {
		return
	}
	for _, a := range v.books[len(v.books)-1].Asks {
		switch {
		case a.Settled == nil:
			v.Journal.Waiting++
		case !a.Replies:
			v.Journal.Owed++
		}
	}
}

// allow gives each call the begin before it.
func (v *Verdict) allow(calls []simulator.Call, begins map[string][]made, b Bounds) map[string][]made {
	accounts := map[string][]made{}
	for _, c := range calls {
		name := c.Partner + " " + c.Key
		accounts[name] = append(accounts[name], made{Call: c})
	}
	for name, list := range accounts {
		slices.SortFunc(list, func(x, y made) int { return cmp.Compare(x.Started, y.Started) })
		before := begins[name]
		slices.SortFunc(before, func(x, y made) int {
			return cmp.Or(cmp.Compare(x.life, y.life), cmp.Compare(x.begin.At.Position, y.begin.At.Position))
		})
		for i := range list {
			at := newest(before, list[i].Started, b.Clocks)
			if at < 0 {
				v.Journal.Unmeant++
				v.Offences = append(v.Offences, fmt.Sprintf("no begin: %s, call %d of %d at %s", list[i].Key, i+1,
					len(list), clock(list[i].Started)))
				continue
			}
			list[i].begin, list[i].book = before[at].begin, before[at].book
			before = slices.Delete(before, 0, at+1) // a begin allows one call, and an older begin none after it
			v.fenced(&list[i], b)
		}
	}
	return accounts
}

// newest is the place of the last begin before a time; if clocks differ, of the first one that may
// be before it.
func newest(begins []made, moment int64, apart time.Duration) int {
	at := -1
	for i, m := range begins {
		if m.begin.Stored <= moment+apart.Microseconds() {
			at = i
		}
		if apart > 0 && at >= 0 {
			break
		}
	}
	return at
}

// fenced measures for how long the caller's lease may have been over.
func (v *Verdict) fenced(c *made, b Bounds) {
	room := (b.Pace.Lease - b.Pace.Call - b.Pace.margin).Microseconds()
	last := int64(0)
	for _, at := range c.book.batches[c.begin.Member] {
		if at <= c.Started {
			last = max(last, at)
		}
	}
	if b.Clocks > 0 || b.Thawed || last == 0 || c.Started-last <= room+fenceSlack {
		return
	}
	v.Journal.Unfenced++
	v.Offences = append(v.Offences, fmt.Sprintf("unfenced: %s, called %v after the last batch of its member", c.Key,
		time.Duration(c.Started-last)*time.Microsecond))
}

// cut says that no answer ended the call's run: its member died during it, or is not known to live.
func (m *made) cut() bool {
	return m.begin != nil && m.book.ByRun[m.begin.Run] == nil
}

// timedOut is the code of a call that reached its worker's time-out.
const timedOut = "GATEWAY_TIMEOUT"

// waited says that a call got no answer within its worker's time-out: the gateway may have
// answered, and a busy machine may not have read it. Further attempts may not have reached the
// gateway, so that the result of the call is in the begin after its own, or in the answer.
func (m *made) waited(call time.Duration) bool {
	if m.begin == nil || call == 0 {
		return false
	}
	after := m.book.byKey[m.begin.Key]
	after = after[slices.Index(after, m.begin)+1:]
	next := slices.IndexFunc(after, func(b *begun) bool { return b.Counts })
	if next >= 0 && after[next].Run == m.begin.Run {
		return after[next].Before == timedOut && after[next].Stored-m.begin.Stored >= call.Microseconds()
	}
	r := m.book.ByRun[m.begin.Run]
	return r != nil && r.Verdict == failed && r.Code == timedOut && r.Stored-m.begin.Stored >= call.Microseconds()
}

// recordedBy says that the journal had the gateway's answer for the call's run at a time.
func (m *made) recordedBy(moment int64) bool {
	if m.begin == nil {
		return m.Conclusive // whichever worker made the call
	}
	r := m.book.ByRun[m.begin.Run]
	return r != nil && r.Verdict == conclusive && r.Stored <= moment
}

// suspects compares members that others sealed with the faults: a live and reachable member is not
// suspected.
func (v *Verdict) suspects(t *Evidence, b Bounds) {
	sealed, may := 0, 0
	for _, book := range v.books {
		sealed += book.Suspected
	}
	for _, f := range t.Faults {
		switch {
		case f.Kind == Hung: // with it, all that are connected to it
			may += suspectsOfServer
		case f.excuses():
			may++
		}
	}
	v.figure("members that others sealed", fmt.Sprint(sealed), fmt.Sprintf("%d died, stood still or were cut off", may))
	if sealed > may && !b.Wiped {
		v.breaks("%d members were sealed by others, only %d died, stood still or were cut off", sealed, may)
	}
}

// suspectsOfServer is how many workers may be away with one server.
const suspectsOfServer = 3

// refreshes says that a call was made because an asker wanted a younger answer than the remembered
// one.
func (m *made) refreshes() bool {
	if m.begin == nil || m.begin.Remembered == nil {
		return false
	}
	asked := m.book.byPlace[m.begin.Asked]
	return asked != nil && asked.MaxAge >= 0 && !asked.Given
}

// holdJournal names the broken bounds of the journal, of the replies and of what is made from it.
func (v *Verdict) holdJournal(zero func(int, string)) {
	zero(v.Journal.Unmeant, "calls before which no begin was stored")
	zero(v.Journal.Hasty, "runs begun anew before the calls of the member that was cut had surely ended")
	zero(v.Journal.Unfenced, "calls after their member's lease")
	zero(v.Journal.Beyond, "attempts beyond the limit")
	zero(v.Journal.Needless, "begins of keys whose answer was remembered")
	zero(v.Journal.Waiting, "asks in the journal that nothing settled")
	zero(v.Journal.Owed, "asks in the journal that are settled and not told")
	zero(v.Replies.Late, "replies long after their deadline")
	zero(v.Replies.Premature, "told DEADLINE before it")
	zero(v.Replies.Unrecorded, "replies before their answer was stored")
	zero(v.Replies.Foreign, "replies that are not what the journal settled")
	zero(v.Replies.Undone, "told something else after CRASHED")
	zero(v.Duties.NoEvent, "runs without their event")
	zero(v.Duties.StrayEvents, "events of runs that the journal does not know")
	zero(v.Duties.NoRunLine, "runs without their line")
	zero(v.Duties.NoAskLine, "asks in the journal without their line")
	zero(v.Duties.NoReply, "asks without their durable reply")
	zero(v.Duties.StrayReplies, "durable replies to asks that the journal does not know")
	zero(v.Duties.NoLetter, "asks that ran out of time without their dead letter")
	zero(boolInt(len(v.books) > 0 && v.Journal.Begins == 0 && v.Calls > 0),
		"journals without a begin: nothing is proved")
}

func boolInt(is bool) int {
	if is {
		return 1
	}
	return 0
}
