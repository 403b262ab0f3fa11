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
		failpoint.Soon("after-send")
		a, report, err := g.Ask(within, gateway.Query{Partner: q.Partner, UserEmail: q.UserEmail, AccountNo: q.AccountNo}, t.Lease.Check)
		if err != nil && ctx.Err() == nil && within.Err() != nil && !isGateway(err) && !errors.Is(err, dedupe.ErrLapsed) {
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
	at := Attempt{AtUs: report.At.UnixMicro(), DNS: report.DNS.Microseconds(), Connect: report.Connect.Microseconds(),
		TLS: report.TLS.Microseconds(), FirstByte: report.FirstByte.Microseconds(), Body: report.Body.Microseconds(),
		Total: report.Total.Microseconds(), Code: code, HTTPStatus: report.HTTPStatus, Bytes: report.Bytes, Reused: report.Reused}
	if gerr, ok := errors.AsType[*gateway.Error](err); ok {
		at.Code, at.Class = clipped(gerr.Code), gerr.Class.String()
	} else if err != nil {
		// Not the gateway's word: the fence stopped it before a byte left, or it was cut on the way.
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
		r.Message = Meaning(r.Code)
	}
	return r
}

// failed fills in what a call without an answer comes to.
func failed(r messages.Result, err error) messages.Result {
	r.Outcome, r.Retryable = messages.Unknown, true
	gerr, ok := errors.AsType[*gateway.Error](err)
	if !ok {
		r.Message = "no answer from the gateway"
		return r
	}
	r.Code, r.Message = gerr.Code, Meaning(gerr.Code)
	switch gerr.Class {
	case mapi.Input, mapi.Bug, mapi.Conf:
		r.Outcome, r.Retryable = messages.Refused, false
	case mapi.Unlisted:
		r.Retryable = false
	}
	return r
}

// Meaning is a code of the gateway or of its client in English, with what to do.
func Meaning(code string) string {
	c, known := mapi.Lookup(code)
	if !known {
		if s := gatewayWords[code]; s != "" {
			return s
		}
	}
	if c.DoEN == "" {
		return c.MeaningEN
	}
	return c.MeaningEN + "; " + c.DoEN
}

// gatewayWords are the client's own codes in English; GATEWAY_HTTP_… speaks for itself.
var gatewayWords = map[string]string{
	gateway.CodeTimeout:     "the gateway gave no whole answer in time; ask again later",
	gateway.CodeUnreachable: "the gateway cannot be reached; ask again later",
	gateway.CodeTLS:         "the gateway could not prove its name; check the way to it",
	gateway.CodeCut:         "the connection ended before the answer did; ask again later",
	gateway.CodeRedirect:    "the gateway sent us elsewhere, which is never followed; check its address",
	gateway.CodeUnreadable:  "what came back is no answer of the gateway; ask again later",
	gateway.CodeBadSign:     "the answer was signed by somebody else and is not believed; check the gateway's public key",
	gateway.CodeUnclear:     "the gateway answered and settled nothing; look the account up by hand",
	gateway.CodeNoPartner:   "this partner is not configured here; correct the field partner or the workers' settings",
	gateway.CodeCannotSign:  "the partner's key does not sign; check the key file",
	gateway.CodeCharset:     "a character that the partner's charset cannot hold; correct the field user_email",
}
