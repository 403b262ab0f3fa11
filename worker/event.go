// What is told beside the replies: an event for every run, a dead letter for what cannot be
// answered.

package worker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// Event is what protocol.event.<partner>.<outcome> says about a run, as JSON:
// personal fields are masked, so that many may listen.
type Event struct {
	V            int    `json:"v"` // 1
	Run          string `json:"run"`
	Key          string `json:"key,omitempty"` // as given by the asker; e-mails in it masked
	Partner      string `json:"partner"`
	UserEmail    string `json:"user_email,omitempty"` // masked
	AccountNo    string `json:"account_no,omitempty"` // masked
	Outcome      string `json:"outcome"`
	ChargeAgent  *bool  `json:"charge_agent,omitempty"`
	RefundCharge *bool  `json:"refund_charge,omitempty"`
	Code         string `json:"code,omitempty"`
	Attempts     int    `json:"attempts"`
	AskedAtMs    int64  `json:"asked_at_ms,omitempty"`
	ExpiresAtMs  int64  `json:"expires_at_ms,omitempty"`
}

// stored writes the run whose answer this worker has just stored into the query
// log and tells its event, before anybody is replied to.
func (w *Worker) stored(ctx context.Context, q messages.Query, rec *dedupe.Record, read any) {
	r, ok := read.(*messages.Result)
	if !ok {
		w.log.Error("own answer not known", "run", rec.Run)
		return
	}
	told := *r
	told.Run = rec.Run
	w.tellRun(ctx, &q, rec, &told)
}

// tellRun writes a run into the query log and tells its event; both are stored when it
// returns. Told again, they are dropped by their identity.
func (w *Worker) tellRun(ctx context.Context, q *messages.Query, rec *dedupe.Record, r *messages.Result) {
	told := w.event(ctx, q, r)
	w.logRun(ctx, q, w.runLine(rec, r))
	told()
}

// logRun waits until the line of a run is in its stream, or never will be, or ctx ends.
func (w *Worker) logRun(ctx context.Context, q *messages.Query, r querylog.Run) {
	done := make(chan struct{})
	w.lines.PublishRun(querylog.Ran{Query: q, Run: r, Done: func(bool) { close(done) }})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// event publishes the event of a run; told waits until it is stored. An event that cannot be
// told does not keep anybody from his answer for long.
func (w *Worker) event(ctx context.Context, q *messages.Query, r *messages.Result) (told func()) {
	body, err := json.Marshal(Event{V: messages.Version, Run: r.Run, Key: messages.MaskText(q.Key), Partner: q.Partner,
		UserEmail: messages.MaskEmail(q.UserEmail), AccountNo: messages.MaskAccount(q.AccountNo), Outcome: string(r.Outcome),
		ChargeAgent: r.ChargeAgent, RefundCharge: r.RefundCharge, Code: r.Code, Attempts: r.Attempts,
		AskedAtMs: r.AskedAtMs, ExpiresAtMs: r.ExpiresAtMs})
	if err != nil {
		w.log.Error("event not encoded", "run", r.Run, "err", err)
		return func() {}
	}
	e := messages.Envelope{MsgID: r.Run, ContentType: string(messages.JSON), Outcome: r.Outcome, Run: r.Run}
	m := &nats.Msg{Subject: w.o.Names.Event(q.Partner, r.Outcome), Data: body, Header: e.Header()}
	if w.o.CloudEvents {
		w.cloudEvent(m.Header, q.Partner, r)
	}
	stored := make(chan error, 1)
	if err := w.to.Go(m, publishTimeout, func(_ uint64, err error) { stored <- err }); err != nil {
		stored <- err
	}
	return func() {
		select {
		case err = <-stored:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			w.publishSurely(ctx, "event", m)
		}
	}
}

// retold says whether the run of an answer that this flight has not stored is to be told again: who
// stored it may have died before he did. It is asked for an ask that is delivered again, and for
// one whose own run this is: stored again alone (see part) that one is no redelivery. Once per run
// is enough, and only while the streams still drop what was told already.
func (w *Worker) retold(v *dedupe.Verdict) bool {
	if v.Kind != dedupe.Answered || v.Mine || v.Record == nil || w.clock.Now().Sub(v.At) > retellFor {
		return false
	}
	w.retoldMu.Lock()
	defer w.retoldMu.Unlock()
	if w.retoldRuns[v.Run] {
		return false
	}
	if len(w.retoldRuns) >= mostRetold {
		clear(w.retoldRuns)
	}
	w.retoldRuns[v.Run] = true
	return true
}

const (
	retellFor  = 5 * time.Minute // below the streams' window of duplicates
	mostRetold = 4096
)

// cloudEvent adds the headers of CloudEvents 1.0 in its binary mode.
func (w *Worker) cloudEvent(h nats.Header, partner string, r *messages.Result) {
	h["ce-specversion"] = []string{"1.0"}
	h["ce-id"] = []string{r.Run}
	h["ce-source"] = []string{"/protocolq/" + w.o.Names.Prefix()}
	h["ce-type"] = []string{"protocolq.run." + string(r.Outcome)}
	h["ce-subject"] = []string{partner}
	if r.AskedAtMs > 0 {
		h["ce-time"] = []string{time.UnixMilli(r.AskedAtMs).UTC().Format(time.RFC3339Nano)}
	}
}

// letter is a message that could not be answered, with what is needed to see why and to ask again.
// All of it is what the worker knows: an asker's own headers could say anything.
type letter struct {
	messages.Envelope        // without a token it is of a message that was in no stream
	reason            string // one of messages.Dead…
	brief             string // for the log, where nothing may stand that the asker wrote; "" where LastCode says it
}

// bury publishes a dead letter: the message as it was, with the reason, so that
// it can be asked again. It reports whether the stream has it.
func (w *Worker) bury(ctx context.Context, l *letter) bool {
	w.metrics.Dead.Add(1)
	e := l.Envelope
	if e.Token != "" {
		e.MsgID = e.Token + "/" + l.reason
	}
	w.log.Warn("dead letter", "reason", l.reason, "token", e.Token, "why", firstOf(l.brief, e.LastCode))
	return w.publishSurely(ctx, "dead letter", &nats.Msg{Subject: w.o.Names.Dead(l.reason), Data: e.Body[:min(len(e.Body), messages.MaxMessage)], Header: e.Header()})
}

// publishOnce publishes into a stream and waits for a part of what the whole of its tries may take:
// an acknowledgement that was lost with its server never comes.
func (w *Worker) publishOnce(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	_, err := w.to.Publish(ctx, m)
	return err
}

// publishSurely publishes into a stream, some seconds long; it reports whether
// the stream has the message.
func (w *Worker) publishSurely(ctx context.Context, what string, m *nats.Msg) bool {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	for {
		err := w.publishOnce(ctx, m)
		if err == nil {
			return true
		}
		if !publish.Full(err) {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
		if publish.Full(err) || ctx.Err() != nil {
			w.log.Error("not published", "what", what, "err", err)
			return false
		}
	}
}
