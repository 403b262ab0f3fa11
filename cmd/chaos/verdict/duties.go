//go:build unix

// The checks of what is made from the journal: one event and one line for each run, one line and
// one durable reply for each ask, a dead letter for each ask that ran out of time.

package verdict

import (
	"fmt"

	"protocolq/messages"
)

// ofDuties is counted in the streams and in the query log. Repeats with the same identity count
// once.
type ofDuties struct {
	Runs, Asks           int // that owe something
	NoEvent, StrayEvents int
	NoRunLine, NoAskLine int
	NoReply, NoLetter    int
	Repeated             int // further messages with a known identity
	StrayReplies         int
}

// duties counts what every run and ask of the journal's newest life made.
func (v *Verdict) duties(t *Evidence) {
	d := &v.Duties
	runs, tokens := map[string]bool{}, map[string]bool{}
	for _, book := range v.books {
		for run := range book.ByRun {
			runs[run] = true
		}
		for token := range book.Asks {
			tokens[token] = true
		}
	}
	for run, n := range t.Events {
		if d.Repeated += n - 1; !runs[run] {
			d.StrayEvents++
			v.Offences = append(v.Offences, "an event of run "+run+", which the journal does not know")
		}
	}
	for token, n := range t.Durable {
		if d.Repeated += n - 1; !tokens[token] {
			d.StrayReplies++
			v.Offences = append(v.Offences, "a durable reply to ask "+token+", which the journal does not know")
		}
	}
	if len(v.books) == 0 {
		return
	}
	newest := v.books[len(v.books)-1]
	v.runs(t, newest)
	v.asks(t, newest)
	v.figure("runs, asks in the journal; further copies of events and replies",
		fmt.Sprintf("%d, %d; %d", d.Runs, d.Asks, d.Repeated), "each has its own")
}

// runs wants an event and a line for each run.
func (v *Verdict) runs(t *Evidence, book *Ledger) {
	d := &v.Duties
	for run := range book.ByRun {
		d.Runs++
		if t.Events[run] == 0 {
			d.NoEvent++
			v.Offences = append(v.Offences, "no event of run "+run)
		}
		if t.Log != nil && t.Log.Runs[run] == nil {
			d.NoRunLine++
			v.Offences = append(v.Offences, "no line of run "+run)
		}
	}
}

// asks wants a line for each ask, a durable reply if it goes into a stream, and a dead letter if
// its patience has ended.
func (v *Verdict) asks(t *Evidence, book *Ledger) {
	d := &v.Duties
	lines := map[string]bool{}
	if t.Log != nil {
		for _, row := range t.Log.Asks {
			lines[row.Token] = true
		}
	}
	for token, a := range book.Asks {
		if a.Settled == nil {
			continue
		}
		d.Asks++
		if t.Log != nil && !lines[token] {
			d.NoAskLine++
			v.Offences = append(v.Offences, fmt.Sprintf("no line of ask %s (%s)", token, a.ID))
		}
		durable := len(a.Reply) > len(replies) && a.Reply[:len(replies)] == replies
		if durable && t.Durable[token] == 0 {
			d.NoReply++
			v.Offences = append(v.Offences, fmt.Sprintf("no durable reply to ask %s (%s)", token, a.ID))
		}
		if a.Settled.Why == messages.DeadlinePassed && (durable || a.Reply == "" || a.Door == bySubmit) && a.ID != "" &&
			t.Dead[a.ID] == "" {
			d.NoLetter++
			v.Offences = append(v.Offences,
				fmt.Sprintf("no dead letter of ask %s (%s), which ran out of time", token, a.ID))
		}
	}
}

// replies is the prefix of the subjects of durable replies.
const replies = messages.DefaultPrefix + ".reply."
