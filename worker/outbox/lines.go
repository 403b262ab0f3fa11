// Lines of the query log: one for each run, one for each ask.

package outbox

import (
	"errors"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/querylog"
)

// Lines takes the lines of runs and asks and publishes each until its stream has it: a
// [querylog.Publisher], or [querylog.Discard] if there is no query log.
type Lines interface {
	// PublishRun and PublishAsk do not block, and call Done once.
	PublishRun(r querylog.Ran)
	PublishAsk(a querylog.Answered)
}

// runLineOf is the line of a run. Lines fills in the person. With an error some calls are missing.
func runLineOf(run *Run, r *messages.Result) (querylog.Run, error) {
	line := querylog.Run{ID: run.Answer.Run, AnsweredAt: run.Stored, Outcome: string(r.Outcome), Code: r.Code,
		Debit: r.ChargeAgent, Refund: r.RefundCharge, Verified: r.Verified, Worker: string(run.By)}
	line.At = run.Stored
	if n := len(run.Begins); n > 0 {
		line.At, line.Deaths = run.Begins[0].Stored, run.Begins[n-1].Begin.Deaths
	}
	calls, err := callsOf(run)
	calls = calls[max(0, len(calls)-querylog.MaxAttempts):]
	if n := len(calls); n > 0 {
		line.Attempts, line.Class = calls, calls[n-1].Class
		line.At = calls[0].At
	}
	return line, err
}

// Calls lists the calls of a run and of the runs that it follows, as far as they can be read.
func (r *Run) Calls() []querylog.Attempt {
	calls, _ := callsOf(r)
	return calls
}

// callsOf lists the calls of a run and of the runs that it follows: a begin has the outcome of the
// call before it, or none if its member died during that call; the answer has the rest. An outcome
// that has only a code is one without a call, or its detail had no room in the log.
func callsOf(run *Run) (calls []querylog.Attempt, err error) {
	var faults []error
	var before time.Time // when the call began whose outcome is in the next begin or the answer
	read := func(o journal.Outcome) {
		a := querylog.Attempt{Code: o.Code}
		if len(o.Detail) == 0 {
			a.At = before
		} else if decoded, err := querylog.DecodeAttempt(o.Detail); err != nil {
			faults = append(faults, err)
		} else {
			a = decoded
		}
		if a.At.IsZero() {
			a.At = run.Stored
		}
		calls = append(calls, a)
	}
	for i, b := range run.Begins {
		switch {
		case b.Begin.Attempt == 1:
		case len(b.Begin.Before.Detail) > 0 || b.Begin.Before.Code != "":
			read(b.Begin.Before)
		case i > 0:
			calls = append(calls, querylog.Attempt{At: before, Cut: true})
		}
		before = b.Stored
	}
	for _, o := range run.Answer.Attempts {
		read(o)
	}
	if run.Answer.Verdict == journal.Crashed && !before.IsZero() {
		calls = append(calls, querylog.Attempt{At: before, Cut: true})
	}
	return calls, errors.Join(faults...)
}

// askLineOf is the line of an ask. Lines fills in the person.
func askLineOf(a *Ask, r *messages.Result, made time.Time, names *messages.Names) querylog.Ask {
	return querylog.Ask{Token: a.Ask.Token, At: a.Stored, AnsweredAt: made, Run: r.Run, Source: string(a.source()),
		Door: doorName(a.Ask.Door), Subject: cameBy(a.Ask, names), Reply: a.Ask.Reply,
		Outcome: string(r.Outcome), Code: r.Code, Trace: a.Ask.Trace}
}

// source is the source of the ask's answer, "" if there is none.
func (a *Ask) source() messages.Source {
	if a.Answer == nil {
		return ""
	}
	return a.Source
}

// cameBy is a subject that an ask may have come in on: the plain one if the asker is not known.
func cameBy(a *journal.Ask, names *messages.Names) string {
	switch {
	case a.Asker != "" && a.Door == journal.Submit:
		return names.SubmitOf(a.Partner, a.Asker)
	case a.Asker != "":
		return names.QueryOf(a.Partner) + "." + a.Asker
	case a.Door == journal.Submit:
		return names.Submit()
	}
	return names.Query()
}
