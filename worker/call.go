// Call: sends an ask's query to the gateway, and makes a Result of the answer. Only this file uses
// both the gateway's types and those of messages.

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/failpoint"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/partner"
	"protocolq/worker/querylog"
)

// Asker makes one signed call. It calls fence just before the request's bytes leave; an error of
// fence means that nothing was sent.
type Asker interface {
	Ask(ctx context.Context, q gateway.Query, fence func() error) (gateway.Answer, gateway.Report, error)
}

// noter learns from each call about its partner's settings: a partner.Gate.
type noter interface {
	Note(ctx context.Context, partner string, r partner.Run)
}

// callOptions are what calls need. Read, Called and Begin may be nil.
type callOptions struct {
	Gateway Asker
	Notes   noter
	// Read returns the query of an ask if it is already decoded, or nil; may be nil.
	Read func(*journal.Ask) *messages.Query
	// Window is how long the answer for a given key is remembered, and Freshness the same for a key
	// derived from the question. Cooldown is how long a key is left alone after a failure.
	Window, Freshness, Cooldown time.Duration
	// Called counts the calls. Many goroutines call it; may be nil.
	Called func(Call)
	// Begin notes that a call begins. The returned func is called at its end. May be nil.
	Begin  func(q *messages.Query, attempt int) (end func())
	Logger *slog.Logger
}

// tooMany is the code of the one HTTP status that concerns all calls of a partner.
const tooMany = gateway.CodeHTTP + "429"

// newCall returns the func that makes the one call of an attempt, and an outcome from its result.
func newCall(o callOptions) flight.Call {
	return func(ctx context.Context, a *journal.Ask, attempt int, fence func() error) flight.Outcome {
		q, err := o.query(a)
		if err != nil { // a door had read it
			code := messages.BadRequest
			return flight.Outcome{Class: flight.Final, Code: code, Result: resultOf(code, attempt)}
		}
		end := func() {}
		if o.Begin != nil {
			end = o.Begin(q, attempt)
		}
		c := o.ask(ctx, q, fence)
		end()
		if c.unsent {
			return flight.Outcome{Class: flight.Unsent}
		}
		failpoint.Hit("after-answer")
		out, r := o.outcome(q, &c, attempt)
		if o.Called != nil {
			o.Called(Call{Partner: q.Partner, Code: out.Code, Took: c.report.Total, Trace: a.Trace})
		}
		note := partner.Run{Code: r.Code, Finding: finding(&r)}
		if note.Finding == partner.Fault {
			note.Key = q.KeyToken()
		}
		o.Notes.Note(ctx, q.Partner, note)
		return out
	}
}

// query is the query of an ask.
func (o *callOptions) query(a *journal.Ask) (*messages.Query, error) {
	if o.Read != nil {
		if q := o.Read(a); q != nil {
			return q, nil
		}
	}
	q, _, err := messages.DecodeQuery(a.Query, "")
	return &q, err
}

// called is how one call ended.
type called struct {
	unsent bool // the fence stopped it
	cut    bool // this process ended it: its result is not known
	answer gateway.Answer
	report gateway.Report
	err    *gateway.Error // nil if there is an answer
}

// ask makes the call. A call without an answer ends with a *gateway.Error, whatever its cause.
func (o *callOptions) ask(ctx context.Context, q *messages.Query, fence func() error) (c called) {
	checks := 0
	check := func() error {
		if checks++; checks == 2 { // the request leaves
			failpoint.Soon("after-send")
		}
		err := fence()
		c.unsent = err != nil
		return err
	}
	var err error
	c.answer, c.report, err = o.safely(ctx,
		gateway.Query{Partner: q.Partner, UserEmail: q.UserEmail, AccountNo: q.AccountNo}, check)
	if c.report.At.IsZero() { // it was refused before it began
		c.report.At = time.Now()
	}
	var ok bool
	if c.err, ok = errors.AsType[*gateway.Error](err); ok || err == nil {
		return c
	}
	// The context has ended, perhaps noticed first by the client: the call's time is over, or the
	// process ends.
	code := gateway.CodeTimeout
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code, c.cut = gateway.CodeCut, true
	}
	c.err = &gateway.Error{Service: gateway.Service, Code: code, Class: mapi.Temp, Err: err}
	return c
}

// safely makes the call. A query that makes the call panic must not affect other queries: its call
// ends as crashed, and another attempt may succeed.
func (o *callOptions) safely(ctx context.Context, q gateway.Query, fence func() error) (a gateway.Answer,
	r gateway.Report, err error) {
	defer func() {
		if p := recover(); p != nil { // its value may be personal
			o.Logger.Error("the call has panicked", "partner", q.Partner, "type", fmt.Sprintf("%T", p), "stack",
				string(debug.Stack()))
			a, r = gateway.Answer{}, gateway.Report{}
			err = &gateway.Error{Service: gateway.Service, Code: messages.Crashed, Class: mapi.Temp,
				Err: errors.New("the call has panicked")}
		}
	}()
	return o.Gateway.Ask(ctx, q, fence)
}

// outcome is what the end of a call means for its key. Everything that is the same for all askers
// who share the Result is set here. What belongs to one asker is added later.
func (o *callOptions) outcome(q *messages.Query, c *called, attempt int) (flight.Outcome, messages.Result) {
	out := flight.Outcome{Class: flight.Answered, Keep: o.Freshness}
	if q.Key != "" {
		out.Keep = o.Window
	}
	r, keep := ResultOf(c.answer, nil), out.Keep
	if c.err == nil && !r.Outcome.Conclusive() {
		c.err = unclear(errors.New("an answer without a status"))
	}
	if c.err != nil {
		r = ResultOf(gateway.Answer{}, c.err)
		if out.Class = classOf(c.err); out.Class != flight.Answered {
			out.Keep, keep = 0, max(o.Cooldown, c.err.RetryAfter)
		}
		out.RetryAfter, out.Everybody = c.err.RetryAfter, c.err.Code == tooMany && c.err.RetryAfter > 0
	}
	r.Partner, r.Attempts, r.RetryAfterMs = q.Partner, attempt, 0
	r.AskedAtMs, r.ExpiresAtMs = c.report.At.UnixMilli(), time.Now().Add(keep).UnixMilli()
	body, err := r.Encode(messages.MsgPack)
	if err != nil { // the gateway's answer cannot be passed on, so it settles nothing
		c.err = unclear(err)
		r = ResultOf(gateway.Answer{}, c.err)
		out = flight.Outcome{Class: flight.Final, Result: resultOf(r.Code, attempt)}
	} else {
		out.Result = body
	}
	out.Code, out.Detail = r.Code, c.detail(r.Code)
	return out, r
}

// unclear is the error for a response that settles nothing.
func unclear(err error) *gateway.Error {
	return &gateway.Error{Service: gateway.Service, Code: gateway.CodeUnclear, Class: mapi.Unlisted, Err: err}
}

// classOf is what a call without an answer allows. A fault that the gateway finds in the account or
// the program is permanent, and is remembered. For a fault in the partner's settings, or for an
// unknown code, a person must act first.
func classOf(err *gateway.Error) flight.Class {
	code, _ := mapi.Lookup(err.Code)
	switch {
	case err.Class.Retryable():
		return flight.Temporary
	case code.Class == err.Class && (err.Class == mapi.Input || err.Class == mapi.Bug):
		return flight.Answered
	}
	return flight.Final
}

// detail is what the query log shows of the call.
func (c *called) detail(code string) []byte {
	r := &c.report
	a := querylog.Attempt{At: r.At, DNS: r.DNS, Connect: r.Connect, TLS: r.TLS, FirstByte: r.FirstByte, Body: r.Body,
		Total: r.Total,
		Code:  code, HTTPStatus: r.HTTPStatus, Bytes: r.Bytes, Reused: r.Reused, Cut: c.cut}
	if c.err != nil {
		a.Class = c.err.Class.String()
		if r.Unread(c.err) {
			a.ContentType = messages.MaskText(r.ContentType)
		}
	}
	return a.Encode()
}

// finding is what a Result says about its partner's settings.
func finding(r *messages.Result) partner.Finding {
	code, known := mapi.Lookup(r.Code)
	switch {
	case r.Outcome.Conclusive() || known && code.Class == mapi.Input:
		return partner.Good
	case known && code.Class == mapi.Conf:
		return partner.Fault
	}
	return partner.Nothing
}

// ResultOf says in a message's words what the gateway answered, or why it did not answer. Only an
// answer of the gateway makes "not signed"; a failure is "unknown".
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

// failed fills in the result of a call without an answer. The error's class alone decides what may
// be done next.
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

// words are the texts for our own codes that askers get.
func words() flight.Words {
	return flight.Words{Deadline: messages.DeadlinePassed, Conflict: messages.KeyConflict,
		Cooling:    messages.CoolingDown,
		Overloaded: messages.Overloaded, Crashed: messages.Crashed, Forgotten: messages.Forgotten}
}

// resultOf is the encoded Result for one of our own codes, after attempts calls.
func resultOf(code string, attempts int) []byte {
	explained, _ := Lookup(code)
	r := messages.Result{Outcome: messages.Unknown, Code: code, Message: explained.Message(),
		Retryable: explained.Retryable, Attempts: attempts}
	if o, ok := messages.OutcomeOf(code); ok {
		r.Outcome = o
	}
	body, err := r.Encode(messages.MsgPack)
	if err != nil {
		panic("worker: " + err.Error()) // our own code and words
	}
	return body
}
