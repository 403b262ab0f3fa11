//go:build unix

// The ledger: a fold of the journal's entries by separate code. It sees the journal from its first
// message on, so that copies of purged entries add nothing.

package verdict

import (
	"fmt"
	"slices"
	"strings"

	"protocolq/messages"
)

// journalled is one ask: two entries with one token are one ask, and so are those with near tokens;
// the first counts.
type journalled struct {
	Token, ID, Key, Question, Reply string
	Account                         string // as the gateway's log names it
	Door                            int
	At                              place
	Stored                          int64
	Left, MaxAge                    int64 // milliseconds; no deadline: 0, any age: -1
	Into                            int64
	Given                           bool
	Settled                         *settlement // nil while it waits
	Replies                         bool
}

// settlement is what settles an ask: a run's answer, or the reason why there is none.
type settlement struct {
	Run, Why string
	Stored   int64
}

// begun is a begin: a call must have one before it.
type begun struct {
	Run, Key, Member, Follows string
	Before                    string // the code of the attempt before
	Attempt, Deaths           int
	At                        place
	Asked                     place
	Stored                    int64
	Again                     bool // its ask has started a run before, which the gateway has answered
	// the run whose line reports it: its own, or one that follows it; "" until that has ended
	Logged string
	// it was allowed at its place: it is the key's first, the next attempt, or follows a cut one
	Counts     bool
	Since      int64  // for one that follows: the last batch of the member that was cut
	Remembered *ended // the key's newest conclusive answer then
}

// ended is an answer, the end of a run.
type ended struct {
	Run, Key, Question, Member, Code string
	Verdict                          int
	Result                           []byte
	Stored, Keep                     int64
	Counts                           bool   // its run was the key's open run
	Read                             uint64 // the position that its writer had applied
	Final                            []string
	Attempt                          int  // of the run's newest begin
	Deserted                         bool // it failed when all who had waited for it had got DEADLINE
	Abandoned                        bool // the same, and its member had died
}

// Ledger is one life of the journal.
type Ledger struct {
	Asks      map[string]*journalled // by token
	byPlace   map[place]*journalled
	byID      map[string][]*journalled   // by the asker's id
	accounts  map[string]map[string]bool // the keys of an account
	waiting   map[string][]*journalled   // by key
	left      map[string]bool            // keys that an asker has left at its deadline since their newest run ended
	begins    []*begun
	byKey     map[string][]*begun
	open      map[string]*begun // by key
	answers   []*ended
	setOff    map[place]bool    // asks that have started a run which the gateway has answered
	ByRun     map[string]*ended // those that count
	memory    map[string]*ended // by key: the newest conclusive one
	batches   map[string][]int64
	sealed    map[string]int64
	chain     map[string][]*begun // by key: since the last end
	Suspected int                 // members that others sealed
	Offences  []string
	Early     []string // told before settled, which is correct if another life had settled it
}

// Fold reads a journal's entries in order.
func Fold(t Chronicle) *Ledger {
	l := &Ledger{
		Asks: map[string]*journalled{}, byPlace: map[place]*journalled{}, byID: map[string][]*journalled{},
		accounts: map[string]map[string]bool{}, waiting: map[string][]*journalled{},
		byKey: map[string][]*begun{}, open: map[string]*begun{}, ByRun: map[string]*ended{},
		memory:  map[string]*ended{},
		batches: map[string][]int64{}, sealed: map[string]int64{}, chain: map[string][]*begun{},
		setOff: map[place]bool{}, left: map[string]bool{},
	}
	for i := range t.Batches {
		b := &t.Batches[i]
		if _, over := l.sealed[b.Member]; over {
			l.offence("%s has a batch at %d after its seal", b.Member, b.Position)
		}
		own := true
		for j := range b.Entries {
			e := &b.Entries[j]
			if e.Kind == aSeal {
				if l.sealed[b.Member], own = b.Stored, e.By == b.Member; !own {
					l.Suspected++
				}
			}
			if !e.Carried {
				l.apply(e)
			}
		}
		if own {
			l.batches[b.Member] = append(l.batches[b.Member], b.Stored)
		}
	}
	return l
}

func (l *Ledger) offence(format string, args ...any) {
	l.Offences = append(l.Offences, fmt.Sprintf(format, args...))
}

func (l *Ledger) apply(e *entry) {
	switch e.Kind {
	case anAsk:
		l.ask(e)
	case aBegin:
		l.begin(e)
	case anAnswer:
		l.answer(e)
	case aSettled:
		for _, at := range e.Entries {
			if a := l.byPlace[at]; a != nil && a.Settled == nil {
				l.settle(a, settlement{Run: e.Run, Why: e.Why, Stored: e.Stored})
				l.left[a.Key] = l.left[a.Key] || e.Why == messages.DeadlinePassed
			}
		}
	case aTold:
		for _, at := range e.Entries {
			a := l.byPlace[at]
			if a == nil {
				continue // an answer, whose own duties are told
			}
			if a.Settled == nil {
				l.Early = append(l.Early,
					fmt.Sprintf("ask %s is told at %d, and nothing has settled it", a.Token, e.At.Position))
			}
			a.Replies = true
		}
	}
}

func (l *Ledger) ask(e *entry) {
	earlier, later := l.Asks[e.Near[0]], l.Asks[e.Near[1]]
	if l.Asks[e.Token] != nil || earlier != nil && e.Into < earlier.Into || later != nil && later.Into < e.Into {
		return
	}
	a := &journalled{Token: e.Token, Key: e.Key, Question: e.Question, Reply: e.Reply, Door: e.Door, At: e.At,
		Stored: e.Stored, Left: e.Left, MaxAge: e.MaxAge, Given: e.Given, Into: e.Into}
	if q, _, err := messages.DecodeQuery(e.Query, ""); err == nil {
		a.ID, a.Account = q.ID, accountName(q.Partner, q.UserEmail, q.AccountNo)
	} else {
		l.offence("ask %s holds no query: %v", e.Token, err)
	}
	l.Asks[a.Token], l.byPlace[a.At] = a, a
	l.byID[a.ID] = append(l.byID[a.ID], a)
	if l.accounts[a.Account] == nil {
		l.accounts[a.Account] = map[string]bool{}
	}
	l.accounts[a.Account][a.Key] = true
	l.waiting[a.Key] = append(l.waiting[a.Key], a)
}

// settle settles an ask.
func (l *Ledger) settle(a *journalled, by settlement) {
	a.Settled = &by
	rest := l.waiting[a.Key][:0]
	for _, o := range l.waiting[a.Key] {
		if o != a {
			rest = append(rest, o)
		}
	}
	l.waiting[a.Key] = rest
}

func (l *Ledger) begin(e *entry) {
	open := l.open[e.Key]
	b := &begun{Run: e.Run, Key: e.Key, Member: e.Member, Follows: e.Follows, Before: e.Before, At: e.At,
		Attempt: e.Attempt,
		Deaths:  e.Deaths, Asked: e.Asked, Stored: e.Stored, Remembered: l.memory[e.Key]}
	switch {
	case e.Follows != "":
		b.Counts = open != nil && open.Run == e.Follows
	case open == nil:
		b.Counts = true
		if e.Attempt != 1 {
			l.offence("run %s begins with attempt %d", e.Run, e.Attempt)
		}
	default:
		b.Counts = e.Attempt > 1 && open.Run == e.Run
	}
	l.begins = append(l.begins, b)
	l.byKey[e.Key] = append(l.byKey[e.Key], b)
	if !b.Counts {
		return
	}
	if open != nil && e.Attempt != open.Attempt+1 {
		l.offence("run %s goes on with attempt %d after %d", e.Run, e.Attempt, open.Attempt)
	}
	if e.Follows != "" {
		l.succeeds(b, open)
	}
	b.Again = l.setOff[e.Asked]
	l.open[e.Key] = b
	l.chain[e.Key] = append(l.chain[e.Key], b)
}

// succeeds notes since when the member was silent whose call's key was begun anew: 0 if it was not
// sealed.
func (l *Ledger) succeeds(b, open *begun) {
	at, over := l.sealed[open.Member]
	if all := l.batches[open.Member]; over && len(all) > 0 {
		b.Since = all[len(all)-1]
	} else if over {
		b.Since = at
	} else {
		l.offence("run %s follows %s, whose member %s is not sealed", b.Run, open.Run, open.Member)
	}
}

// follows reports whether a run takes up another that was cut: directly, or after runs between that
// were cut before their call.
func (l *Ledger) follows(b *begun, run string) bool {
	for b != nil && b.Follows != "" {
		if b.Follows == run {
			return true
		}
		before := slices.IndexFunc(l.byKey[b.Key], func(o *begun) bool { return o.Counts && o.Run == b.Follows })
		if before < 0 {
			return false
		}
		b = l.byKey[b.Key][before]
	}
	return false
}

// later reports whether a begin is for an ask that came after a run had crashed, under an id that
// nobody had before: CRASHED is not its answer. A submitted query whose worker was killed comes
// half a minute later.
func (l *Ledger) later(b *begun, run string) bool {
	e, a := l.ByRun[run], l.byPlace[b.Asked]
	return e != nil && e.Verdict == crashed && a != nil && a.At.Position > e.Read &&
		!slices.ContainsFunc(l.byID[a.ID], func(o *journalled) bool { return o.At.Position <= e.Read })
}

func (l *Ledger) answer(e *entry) {
	open := l.open[e.Key]
	a := &ended{Run: e.Run, Key: e.Key, Question: e.Question, Member: e.Member, Code: e.Code, Verdict: e.Verdict,
		Result: e.Result, Stored: e.Stored, Keep: e.Keep, Final: e.Final, Read: e.Read,
		Counts: open != nil && open.Run == e.Run}
	l.answers = append(l.answers, a)
	if !a.Counts {
		return
	}
	a.Attempt = open.Attempt
	// Who came after what its writer had read is asked for anew.
	known := func(w *journalled) bool { return w.At.Position <= e.Read }
	left := l.left[e.Key] && !slices.ContainsFunc(l.waiting[e.Key], known)
	a.Deserted, a.Abandoned = left && e.Verdict == failed, left && e.Verdict == crashed
	delete(l.left, e.Key)
	delete(l.open, e.Key)
	if e.Verdict != released {
		l.ByRun[e.Run] = a
		for _, b := range l.chain[e.Key] {
			b.Logged = e.Run
		}
	}
	delete(l.chain, e.Key)
	if e.Verdict == conclusive {
		l.setOff[open.Asked] = true
		l.memory[e.Key] = a
	}
	named := " " + strings.Join(e.Final, " ") + " "
	for _, w := range append([]*journalled(nil), l.waiting[e.Key]...) {
		final := strings.Contains(named, " "+w.Token+" ")
		switch {
		case e.Verdict == crashed && final,
			e.Verdict == conclusive && w.Question == e.Question,
			e.Verdict == failed && w.Question == e.Question && w.Door == byAwait:
			l.settle(w, settlement{Run: e.Run, Stored: e.Stored})
		}
	}
}
