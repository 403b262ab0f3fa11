// Query to gateway to Result: the only place that knows the words of both.

package worker

import (
	"context"
	"errors"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/failpoint"
)

// Asker makes one signed call. fence is checked just before the request's bytes
// leave; its error means that nothing was sent.
type Asker interface {
	Ask(ctx context.Context, q gateway.Query, fence func() error) (gateway.Answer, gateway.Report, error)
}

// asked makes one call under the turn's lease. A call without an answer is a
// *gateway.Error; any other error means that the turn must stop.
func asked(g Asker) Handler {
	return func(ctx context.Context, t *Turn) (messages.Result, error) {
		within, cancel := context.WithDeadline(ctx, t.Lease.Deadline())
		defer cancel()
		q := t.Query
		checks := 0
		fence := func() error {
			if checks++; checks == 2 { // the request leaves
				failpoint.Soon("after-send")
			}
			return t.Lease.Check()
		}
		a, report, err := g.Ask(within, gateway.Query{Partner: q.Partner, UserEmail: q.UserEmail, AccountNo: q.AccountNo}, fence)
		ended := within.Err() != nil || errors.Is(err, context.DeadlineExceeded) // the client may see it first
		if err != nil && ctx.Err() == nil && ended && !isGateway(err) && !errors.Is(err, dedupe.ErrLapsed) {
			// The lease's time ended, not the caller's: the call was under way and got no answer.
			err = &gateway.Error{Service: gateway.Service, Code: gateway.CodeTimeout, Class: mapi.Temp, Err: err}
		}
		t.note(report, a.Code, err)
		if err != nil {
			return messages.Result{}, err
		}
		r := ResultOf(a, nil)
		r.AskedAtMs = report.At.UnixMilli()
		return r, nil
	}
}

func isGateway(err error) bool {
	_, ok := errors.AsType[*gateway.Error](err)
	return ok
}

// note adds an attempt to the turn, unless nothing was sent.
func (t *Turn) note(report gateway.Report, code string, err error) {
	t.unread = nil
	if report.Unread(err) {
		seen := report
		t.unread = &seen
	}
	at := Attempt{AtUs: report.At.UnixMicro(), DNS: report.DNS.Microseconds(), Connect: report.Connect.Microseconds(),
		TLS: report.TLS.Microseconds(), FirstByte: report.FirstByte.Microseconds(), Body: report.Body.Microseconds(),
		Total: report.Total.Microseconds(), Code: code, HTTPStatus: report.HTTPStatus, Bytes: report.Bytes, Reused: report.Reused}
	if gerr, ok := errors.AsType[*gateway.Error](err); ok {
		at.Code, at.Class = clipped(gerr.Code), gerr.Class.String()
		if gerr.RetryAfter > 0 {
			t.notBefore = time.Now().Add(gerr.RetryAfter)
		}
	} else if err != nil {
		// Not the gateway's word: the fence stopped it before a byte left, or it was cut on the
		// way.
		if t.open = !errors.Is(err, dedupe.ErrLapsed); t.open {
			at.Cut = true
			t.Attempts = append(t.Attempts, at)
		}
		return
	}
	if report.At.IsZero() {
		at.AtUs = time.Now().UnixMicro()
	}
	t.Attempts = append(t.Attempts, at)
}

// clipped bounds a code, which the gateway may have made up.
func clipped(code string) string { return code[:min(len(code), 64)] }

// ResultOf says in a message's words what the gateway answered, or why it did
// not. Only the gateway's own word makes "not signed"; a failure is "unknown".
func ResultOf(a gateway.Answer, err error) messages.Result {
	r := messages.Result{V: messages.Version, ChargeAgent: a.ChargeAgent, RefundCharge: a.RefundCharge,
		UserID: a.UserID, IsSuccess: a.IsSuccess, Code: a.Code}
	switch a.Verification {
	case mapi.Verified:
		r.Verified = messages.VerifiedSign
	case mapi.Unsigned:
		r.Verified = messages.UnsignedAnswer
	}
	if err != nil {
		return failed(r, err)
	}
	switch a.Status {
	case gateway.Signed:
		r.Outcome = messages.Signed
	case gateway.NotSigned:
		r.Outcome = messages.NotSigned
	case gateway.Abnormal:
		r.Outcome = messages.Abnormal
	default:
		return failed(r, errors.New("an answer without a status"))
	}
	if r.Code != "" {
		words, _ := Lookup(r.Code)
		r.Message = words.Message()
	}
	return r
}

// failed fills in what a call without an answer comes to. What may be done about it follows from
// the error's class alone.
func failed(r messages.Result, err error) messages.Result {
	r.Outcome, r.Retryable = messages.Unknown, true
	gerr, ok := errors.AsType[*gateway.Error](err)
	if !ok {
		r.Message = "no answer from the gateway; ask again later"
		return r
	}
	words, _ := Lookup(gerr.Code)
	r.Code, r.Message, r.Retryable = gerr.Code, words.Message(), gerr.Class.Retryable()
	r.RetryAfterMs = gerr.RetryAfter.Milliseconds()
	switch gerr.Class {
	case mapi.Input, mapi.Bug, mapi.Conf:
		r.Outcome = messages.Refused
	}
	return r
}
