// What the end of a call means for its key, for every possible end.

package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/partner"
	"protocolq/worker/querylog"
)

const (
	partnerID = "2088001122334455"
	window    = 24 * time.Hour
	freshness = time.Minute
	cooldown  = 30 * time.Second
)

// fakeAsker passes the fence as a client does, and ends as the test says.
type fakeAsker struct {
	answer gateway.Answer
	report gateway.Report
	err    error
	wait   time.Duration // for the answer, or until the context ends
	asked  []gateway.Query
}

func (f *fakeAsker) Ask(ctx context.Context, q gateway.Query, fence func() error) (gateway.Answer, gateway.Report, error) {
	f.asked = append(f.asked, q)
	for range 2 {
		if err := fence(); err != nil {
			return gateway.Answer{}, gateway.Report{}, err
		}
	}
	report := f.report
	report.At = time.Now()
	select {
	case <-time.After(f.wait):
		report.Total = time.Since(report.At)
		return f.answer, report, f.err
	case <-ctx.Done():
		return gateway.Answer{}, report, fmt.Errorf("ask the gateway: %w", ctx.Err())
	}
}

// notes are the findings that the gate got.
type notes []partner.Run

func (n *notes) Note(_ context.Context, _ string, r partner.Run) { *n = append(*n, r) }

// today moves a bubble's clock, which begins in the year 2000, to a time that a line may have.
func today() { time.Sleep(27 * 365 * 24 * time.Hour) }

func open() error { return nil }

func encoded(t *testing.T, q messages.Query) []byte {
	t.Helper()
	q.Partner = partnerID
	data, err := q.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func plain(t *testing.T) []byte { return encoded(t, messages.Query{UserEmail: "zhang@example.com"}) }

// end is one call that has ended.
type end struct {
	flight.Outcome
	result messages.Result
	detail querylog.Attempt
	notes  notes
}

func callOnce(t *testing.T, ctx context.Context, g Asker, query []byte, fence func() error) end {
	t.Helper()
	var e end
	e.Outcome = newCall(callOptions{Gateway: g, Notes: &e.notes, Window: window, Freshness: freshness, Cooldown: cooldown})(ctx, &journal.Ask{Query: query}, 3, fence)
	if e.Class == flight.Unsent {
		return e
	}
	var err error
	if e.result, _, err = messages.DecodeResult(e.Result, string(messages.MsgPack)); err != nil {
		t.Fatalf("result not read: %v", err)
	}
	if len(e.Detail) > 0 {
		if e.detail, err = querylog.DecodeAttempt(e.Detail); err != nil {
			t.Fatalf("detail not read: %v", err)
		}
	}
	return e
}

func gatewayError(code string, class mapi.Class, after time.Duration) *gateway.Error {
	return &gateway.Error{Service: gateway.Service, Code: code, Class: class, RetryAfter: after}
}

func TestOutcomes(t *testing.T) {
	yes, no := new(true), new(false)
	for _, c := range []struct {
		name   string
		answer gateway.Answer
		err    error
		key    string
		class  flight.Class
		says   messages.Outcome
		code   string
		keep   time.Duration
		dies   time.Duration // until ExpiresAtMs
		found  partner.Finding
	}{
		{"signed", gateway.Answer{Status: gateway.Signed, ChargeAgent: yes, RefundCharge: no, Verification: mapi.Verified}, nil, "",
			flight.Answered, messages.Signed, "", freshness, freshness, partner.Good},
		{"signed, of a given key", gateway.Answer{Status: gateway.Signed, ChargeAgent: yes, RefundCharge: no}, nil, "k",
			flight.Answered, messages.Signed, "", window, window, partner.Good},
		{"not signed by flags", gateway.Answer{Status: gateway.NotSigned, ChargeAgent: no, RefundCharge: no}, nil, "",
			flight.Answered, messages.NotSigned, "", freshness, freshness, partner.Good},
		{"not signed by its code", gateway.Answer{Status: gateway.NotSigned, Code: "NO_SIGN_CUSTOMER"}, nil, "",
			flight.Answered, messages.NotSigned, "NO_SIGN_CUSTOMER", freshness, freshness, partner.Good},
		{"abnormal", gateway.Answer{Status: gateway.Abnormal, Code: "NO_NORMAL_SIGN_CUSTOMER"}, nil, "",
			flight.Answered, messages.Abnormal, "NO_NORMAL_SIGN_CUSTOMER", freshness, freshness, partner.Good},
		{"no status", gateway.Answer{}, nil, "", flight.Final, messages.Unknown, gateway.CodeUnclear, 0, cooldown, partner.Nothing},
		{"the account's fault", gateway.Answer{}, gatewayError("ILLEGAL_EMAIL", mapi.Input, 0), "k",
			flight.Answered, messages.Refused, "ILLEGAL_EMAIL", window, window, partner.Good},
		{"the program's fault", gateway.Answer{}, gatewayError("ILLEGAL_SERVICE", mapi.Bug, 0), "",
			flight.Answered, messages.Refused, "ILLEGAL_SERVICE", freshness, freshness, partner.Nothing},
		{"the settings' fault", gateway.Answer{}, gatewayError("ILLEGAL_SIGN", mapi.Conf, 0), "k",
			flight.Final, messages.Refused, "ILLEGAL_SIGN", 0, cooldown, partner.Fault},
		{"no such partner here", gateway.Answer{}, gatewayError(gateway.CodeNoPartner, mapi.Conf, 0), "",
			flight.Final, messages.Refused, gateway.CodeNoPartner, 0, cooldown, partner.Nothing},
		{"the charset's fault", gateway.Answer{}, gatewayError(gateway.CodeCharset, mapi.Input, 0), "k",
			flight.Final, messages.Refused, gateway.CodeCharset, 0, cooldown, partner.Nothing},
		{"may be mended", gateway.Answer{}, gatewayError("SYSTEM_ERROR", mapi.Temp, 0), "k",
			flight.Temporary, messages.Unknown, "SYSTEM_ERROR", 0, cooldown, partner.Nothing},
		{"in no table", gateway.Answer{}, gatewayError("SOMETHING_NEW", mapi.Unlisted, 0), "",
			flight.Final, messages.Unknown, "SOMETHING_NEW", 0, cooldown, partner.Nothing},
		{"a word for an answer that is not known", gateway.Answer{}, gatewayError("NO_SIGN_CUSTOMER", mapi.Unlisted, 0), "",
			flight.Final, messages.Unknown, "NO_SIGN_CUSTOMER", 0, cooldown, partner.Nothing},
		{"without a class", gateway.Answer{}, gatewayError("X", 0, 0), "", flight.Final, messages.Unknown, "X", 0, cooldown, partner.Nothing},
		{"signed by somebody else", gateway.Answer{}, gatewayError(gateway.CodeBadSign, mapi.Temp, 0), "",
			flight.Temporary, messages.Unknown, gateway.CodeBadSign, 0, cooldown, partner.Nothing},
		{"wants to be left alone", gateway.Answer{}, gatewayError("GATEWAY_HTTP_503", mapi.Temp, time.Minute), "",
			flight.Temporary, messages.Unknown, "GATEWAY_HTTP_503", 0, time.Minute, partner.Nothing},
		{"for a moment", gateway.Answer{}, gatewayError("GATEWAY_HTTP_429", mapi.Temp, time.Second), "",
			flight.Temporary, messages.Unknown, "GATEWAY_HTTP_429", 0, cooldown, partner.Nothing},
		{"what cannot be passed on", gateway.Answer{Status: gateway.NotSigned, UserID: "\xff"}, nil, "",
			flight.Final, messages.Unknown, gateway.CodeUnclear, 0, 0, partner.Nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				today()
				f := &fakeAsker{answer: c.answer, err: c.err, wait: time.Second, report: gateway.Report{HTTPStatus: 200, Bytes: 7}}
				begun := time.Now()
				e := callOnce(t, t.Context(), f, encoded(t, messages.Query{Key: c.key, UserEmail: "zhang@example.com", AccountNo: "2088101122223333"}), open)
				r := e.result
				if e.Class != c.class || e.Code != c.code || e.Keep != c.keep || r.Outcome != c.says || r.Code != c.code || r.Attempts != 3 {
					t.Errorf("got %+v and %+v", e.Outcome, r)
				}
				if want := (gateway.Query{Partner: partnerID, UserEmail: "zhang@example.com", AccountNo: "2088101122223333"}); len(f.asked) != 1 || f.asked[0] != want {
					t.Errorf("asked %+v, want %+v", f.asked, want)
				}
				if c.dies > 0 && (r.AskedAtMs != begun.UnixMilli() || r.ExpiresAtMs != begun.Add(time.Second+c.dies).UnixMilli()) {
					t.Errorf("asked at %d, expires at %d; begun at %d", r.AskedAtMs, r.ExpiresAtMs, begun.UnixMilli())
				}
				if r.ID+r.Key+r.Run+string(r.Source) != "" || r.RetryAfterMs+r.AnsweredAtMs != 0 || r.Meta != nil {
					t.Errorf("it has what belongs to an asker: %+v", r)
				}
				if d := e.detail; !d.At.Equal(begun) || d.Total != time.Second || d.Code != c.code || d.HTTPStatus != 200 || d.Bytes != 7 || d.Cut {
					t.Errorf("the log shows %+v", d)
				}
				if len(e.notes) != 1 || e.notes[0].Finding != c.found || e.notes[0].Code != c.code ||
					c.found == partner.Fault && len(e.notes[0].Key) != 26 {
					t.Errorf("the gate was given %+v, want %v", e.notes, c.found)
				}
				want, g := time.Duration(0), (*gateway.Error)(nil)
				if errors.As(c.err, &g) {
					want = g.RetryAfter
				}
				if e.RetryAfter != want || e.Everybody != (c.code == "GATEWAY_HTTP_429") {
					t.Errorf("the gateway wants %v, everybody: %v", e.RetryAfter, e.Everybody)
				}
			})
		})
	}
}

// Whatever code the gateway refuses with, it is not a "no", and only its class decides.
func TestEveryCode(t *testing.T) {
	classes := map[mapi.Class]flight.Class{mapi.Biz: flight.Final, mapi.Input: flight.Answered, mapi.Bug: flight.Answered,
		mapi.Conf: flight.Final, mapi.Temp: flight.Temporary, mapi.Unlisted: flight.Final}
	codes := mapi.Codes()
	if len(codes) == 0 {
		t.Fatal("there is no code")
	}
	for _, code := range codes {
		e := callOnce(t, t.Context(), &fakeAsker{err: gatewayError(code.Name, code.Class, 0)}, plain(t), open)
		if e.Class != classes[code.Class] || e.result.Outcome.Conclusive() || e.result.Retryable != (code.Class == mapi.Temp) || e.result.Message == "" {
			t.Errorf("%s of class %s: %+v, %+v", code.Name, code.Class, e.Outcome, e.result)
		}
		if e.detail.Class != code.Class.String() {
			t.Errorf("%s: the log shows class %q", code.Name, e.detail.Class)
		}
	}
}

// httpStatus is a gateway that responds with a status, and with the body of a "no".
type httpStatus struct {
	status int
	header http.Header
}

func (h httpStatus) RoundTrip(*http.Request) (*http.Response, error) {
	body := `<?xml version="1.0" encoding="utf-8"?><alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`
	return &http.Response{StatusCode: h.status, Header: h.header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

// The body of any status other than 200 is no answer.
func TestEveryStatus(t *testing.T) {
	key, err := mapi.ParseKey(mapi.MD5, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for status := 200; status < 600; status++ {
		h := http.Header{"Retry-After": {"7"}, "Content-Type": {"text/xml"}}
		client, err := gateway.New(gateway.Options{Partners: []gateway.Partner{{ID: partnerID, Key: key}}, RoundTripper: httpStatus{status, h}})
		if err != nil {
			t.Fatal(err)
		}
		e := callOnce(t, t.Context(), client, plain(t), open)
		after := time.Duration(0)
		if status == 429 || status == 503 {
			after = 7 * time.Second
		}
		switch {
		case e.RetryAfter != after || e.Everybody != (status == 429):
			t.Errorf("%d: left alone for %v, everybody: %v", status, e.RetryAfter, e.Everybody)
		case status == 200:
			if e.Class != flight.Answered || e.result.Outcome != messages.NotSigned || e.detail.ContentType != "" {
				t.Errorf("%+v, %+v", e.Outcome, e.result)
			}
		case e.Class != flight.Temporary || e.result.Outcome != messages.Unknown || !e.result.Retryable || e.detail.ContentType != "text/xml":
			t.Errorf("%d: %+v, %+v, %+v", status, e.Outcome, e.result, e.detail)
		case status >= 400 && e.Code != "GATEWAY_HTTP_"+strconv.Itoa(status):
			t.Errorf("%d: %s", status, e.Code)
		}
	}
}

var errShut = errors.New("the lease is over")

// If the fence stops a request before its first byte leaves, there was no call.
func TestUnsent(t *testing.T) {
	for shutAt := 1; shutAt <= 2; shutAt++ {
		checks, counted := 0, 0
		var n notes
		o := callOptions{Gateway: &fakeAsker{answer: gateway.Answer{Status: gateway.Signed}}, Notes: &n,
			Called: func(Call) { counted++ }}
		out := newCall(o)(t.Context(), &journal.Ask{Query: plain(t)}, 1, func() error {
			if checks++; checks == shutAt {
				return errShut
			}
			return nil
		})
		if out.Class != flight.Unsent || out.Result != nil || out.Detail != nil || checks != shutAt || len(n) != 0 || counted != 0 {
			t.Errorf("shut at check %d: %+v after %d checks, notes %v, %d counted", shutAt, out, checks, n, counted)
		}
	}
}

// A call whose time ends is the gateway's time-out, wherever that is seen first. A call that the
// process ends is cut.
func TestCallsThatAreEnded(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		ends  func(context.Context) (context.Context, context.CancelFunc)
		code  string
		cut   bool
		after time.Duration
	}{
		{"by its time", nil, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 8*time.Second)
		}, gateway.CodeTimeout, false, 8 * time.Second},
		{"by its time, as the client saw first", fmt.Errorf("ask: %w", context.DeadlineExceeded), context.WithCancel, gateway.CodeTimeout, false, time.Minute},
		{"by the process", nil, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(3*time.Second, cancel)
			return ctx, cancel
		}, gateway.CodeCut, true, 3 * time.Second},
		{"by what nobody knows", errors.New("broken"), context.WithCancel, gateway.CodeCut, true, time.Minute},
		{"by its time, in the client's words", gatewayError(gateway.CodeTimeout, mapi.Temp, 0), context.WithCancel, gateway.CodeTimeout, false, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				today()
				ctx, cancel := c.ends(t.Context())
				defer cancel()
				begun := time.Now()
				e := callOnce(t, ctx, &fakeAsker{wait: time.Minute, err: c.err}, plain(t), open)
				if e.Class != flight.Temporary || e.Code != c.code || e.detail.Cut != c.cut || e.result.Outcome != messages.Unknown || !e.result.Retryable {
					t.Errorf("got %+v, %+v, %+v", e.Outcome, e.result, e.detail)
				}
				if took := time.Since(begun); took != c.after {
					t.Errorf("it took %v, want %v", took, c.after)
				}
			})
		})
	}
}

// An unreadable query causes no call.
func TestUnreadableQuery(t *testing.T) {
	for _, query := range [][]byte{nil, []byte("?"), []byte(`{"partner":"` + partnerID + `"}`)} {
		f := &fakeAsker{answer: gateway.Answer{Status: gateway.NotSigned}}
		e := callOnce(t, t.Context(), f, query, open)
		if e.Class != flight.Final || e.Code != messages.BadRequest || e.result.Outcome != messages.Refused || len(f.asked) > 0 || len(e.notes) > 0 {
			t.Errorf("%q: %+v, %+v", query, e.Outcome, e.result)
		}
	}
}

// A query that a door has decoded is not decoded again; any other ask uses the journal's query.
func TestCallAsksWhatWasRead(t *testing.T) {
	a, f := &journal.Ask{Query: plain(t)}, &fakeAsker{answer: gateway.Answer{Status: gateway.Signed}}
	read := messages.Query{Partner: partnerID, UserEmail: "read@example.com"}
	o := callOptions{Gateway: f, Notes: &notes{}, Read: func(of *journal.Ask) *messages.Query {
		if of == a {
			return &read
		}
		return nil
	}}
	for _, of := range []*journal.Ask{a, {Query: a.Query}} {
		newCall(o)(t.Context(), of, 1, open)
	}
	if len(f.asked) != 2 || f.asked[0].UserEmail != read.UserEmail || f.asked[1].UserEmail != "zhang@example.com" {
		t.Errorf("asked %+v", f.asked)
	}
}

// A panic during a call counts as a crash of only that call, and is logged without its text.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	o := callOptions{Gateway: panicking{}, Notes: &notes{}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	out := newCall(o)(t.Context(), &journal.Ask{Query: plain(t)}, 2, open)
	r, _, err := messages.DecodeResult(out.Result, "")
	if err != nil || out.Class != flight.Temporary || out.Code != messages.Crashed || r.Outcome != messages.Unknown || r.Attempts != 2 || !r.Retryable {
		t.Errorf("%+v %+v %v", out, r, err)
	}
	if s := log.String(); !strings.Contains(s, "has panicked") || !strings.Contains(s, "call_internal_test.go") || strings.Contains(s, "zhang") {
		t.Errorf("%s", s)
	}
}

type panicking struct{}

func (panicking) Ask(_ context.Context, q gateway.Query, _ func() error) (gateway.Answer, gateway.Report, error) {
	panic("drawn by the test over " + q.UserEmail)
}

func TestCallsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		o := callOptions{Notes: &notes{}, Called: func(c Call) { got = append(got, c.Code+" "+c.Took.String()) }}
		for _, f := range []*fakeAsker{{answer: gateway.Answer{Status: gateway.Signed}, wait: time.Second}, {err: gatewayError("SYSTEM_ERROR", mapi.Temp, 0)}} {
			o.Gateway = f
			newCall(o)(t.Context(), &journal.Ask{Query: plain(t)}, 1, open)
		}
		if fmt.Sprint(got) != "[ 1s SYSTEM_ERROR 0s]" {
			t.Errorf("counted %q", got)
		}
	})
}

// Each of our own codes has a Result with the texts of its table.
func TestWords(t *testing.T) {
	w := words()
	for _, code := range []string{w.Deadline, w.Conflict, w.Cooling, w.Overloaded, w.Crashed, w.Forgotten} {
		r, _, err := messages.DecodeResult(resultOf(code, 4), "")
		outcome, ok := messages.OutcomeOf(code)
		if err != nil || r.Code != code || r.Attempts != 4 || r.Message == "" || ok && (r.Outcome != outcome || r.Retryable != (outcome == messages.Unknown && code != w.Forgotten)) || r.Outcome.Conclusive() {
			t.Errorf("%s: %+v, %v", code, r, err)
		}
		if !ok {
			t.Errorf("%s is none of our codes", code)
		}
	}
}
