// Lines of the query log: what a worker writes down of its runs and asks.

package worker

import (
	"time"

	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/querylog"
)

// runLine is the line of a run whose answer is stored.
func (w *Worker) runLine(rec *dedupe.Record, r *messages.Result) querylog.Run {
	run := querylog.Run{ID: rec.Run, At: time.UnixMilli(rec.BegunMs), AnsweredAt: time.UnixMilli(r.ExpiresAtMs - rec.KeepMs),
		Outcome: string(r.Outcome), Code: r.Code, Debit: r.ChargeAgent, Refund: r.RefundCharge, Verified: r.Verified,
		Worker: rec.Owner, Deaths: rec.Deaths}
	if rec.Once { // kept for longer than it is an answer
		run.AnsweredAt = w.clock.Now()
	}
	attempts, err := attemptsOf(rec)
	if err != nil {
		w.log.Error("attempts not understood", "run", rec.Run, "err", err)
	}
	if r.Code == messages.Crashed { // given up: the holder's last call was under way
		attempts = append(attempts, Attempt{AtUs: rec.BegunMs * 1000, Cut: true})
	}
	for i, a := range attempts[max(0, len(attempts)-querylog.MaxAttempts):] {
		if i == 0 {
			run.At = time.UnixMicro(a.AtUs)
		}
		run.Attempts = append(run.Attempts, a.line())
	}
	if n := len(run.Attempts); n > 0 {
		run.Class = run.Attempts[n-1].Class
	}
	return run
}

// line is an attempt in the log's words.
func (a Attempt) line() querylog.Attempt {
	us := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return querylog.Attempt{At: time.UnixMicro(a.AtUs), DNS: us(a.DNS), Connect: us(a.Connect), TLS: us(a.TLS), FirstByte: us(a.FirstByte),
		Body: us(a.Body), Total: us(a.Total), Code: a.Code, Class: a.Class, HTTPStatus: a.HTTPStatus, Bytes: a.Bytes, Reused: a.Reused, Cut: a.Cut}
}

// askLine is the line of one ask, as far as its Result says.
func askLine(r *messages.Result) querylog.Ask {
	return querylog.Ask{AnsweredAt: time.UnixMilli(r.AnsweredAtMs), Run: r.Run, Source: string(r.Source), Outcome: string(r.Outcome), Code: r.Code}
}

// storedLine is the line of an ask that came out of a stream.
func storedLine(j *job) querylog.Ask {
	line := askLine(&j.r)
	line.Token, line.At, line.Door, line.Subject, line.Reply, line.Trace = j.token, j.a.stored, j.a.door, j.a.subject, j.to, j.trace
	return line
}

// rememberedLine is the line of an ask that was answered from memory.
func (w *Worker) rememberedLine(s *storing, r *messages.Result) querylog.Ask {
	line := askLine(r)
	line.Token, line.At, line.Door, line.Subject, line.Reply, line.Trace = s.Token, w.clock.Now(), messages.DoorQuery, s.by, s.to, s.Trace
	return line
}

// refusedLine is the line of a message that was not right. Who it was about is not known, or not to
// be trusted.
func (w *Worker) refusedLine(in *inbound, code string, r *messages.Result) querylog.Ask {
	return querylog.Ask{Token: firstOf(in.token, nuid.Next()), At: w.clock.Now(), AnsweredAt: w.clock.Now(),
		Door: in.door, Subject: in.subject, Reply: in.natsReply, Outcome: string(r.Outcome), Code: code, Trace: in.trace()}
}
