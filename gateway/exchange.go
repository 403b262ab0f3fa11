// One POST and the bytes of its answer: the part that uses the network.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"protocolq/gateway/mapi"
)

// exchange sends the request once and returns the body of an HTTP 200. With an error it returns the
// part of the body that was read, for a person to see.
func (c *Client) exchange(ctx context.Context, r Request, fence func() error) ([]byte, Report, error) {
	// The deadline covers everything: a time-out for headers alone would let a body trickle in for
	// ever.
	inner := ctx
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > c.options.Timeout {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	t := newTracer()
	req := post(inner, r)
	var stopped error
	check := func() error { stopped = pass(fence); return stopped }
	answer, err := c.send(question{request: req, fence: check, explain: r.StringToSign != ""}, t)
	t.head(answer.status, contentType(answer.header))
	report := t.report()
	if stopped != nil {
		return nil, report, stopped
	}
	body, err := accept(answer, err, c.options.RetryAfterMax)
	if err != nil {
		if over := ended(ctx); over != nil {
			return nil, report, fmt.Errorf("ask the gateway: %w", over)
		}
		return body, report, t.classify(inner, err)
	}
	return body, report, nil
}

// ended says how a context has ended. A connection may notice the deadline slightly before the
// context does.
func ended(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// post makes the request, like http.NewRequest for a parsed URL. Its body can be read only once:
// net/http would use GetBody to send it a second time.
func post(ctx context.Context, r Request) *http.Request {
	req := http.Request{
		Method: http.MethodPost, URL: r.url, Host: r.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded; charset=" + r.Charset.String()},
			"Accept":       {"text/xml, application/xml"},
			"User-Agent":   {"protocolq"},
		},
		Body: io.NopCloser(strings.NewReader(r.Body)), ContentLength: int64(len(r.Body)),
	}
	return req.WithContext(ctx)
}

// send sends the question over the wire, or over its replacement.
func (c *Client) send(q question, t *tracer) (reply, error) {
	if c.wire != nil {
		return c.wire.send(q, t)
	}
	if err := q.fence(); err != nil {
		return reply{}, err
	}
	resp, err := c.options.RoundTripper.RoundTrip(q.request)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	t.gotConn("", false)
	return readReply(resp, q.explain, t)
}

// readReply reads as much of a body as is wanted. If the status says that it is no answer, only a
// person wants it: for a program its length is the value of the header.
func readReply(resp *http.Response, explain bool, t *tracer) (reply, error) {
	a := reply{status: resp.StatusCode, header: resp.Header}
	if a.status != http.StatusOK && !explain {
		t.bodyRead(int(min(max(resp.ContentLength, 0), mapi.MaxAnswer+1)))
		return a, nil
	}
	var err error
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, mapi.MaxAnswer+1))
	t.bodyRead(len(a.body))
	return a, err
}

// accept returns the body of an answer that may be read or, with an error, that may be shown. The
// status counts before what happened to the body. most bounds how long a refusal may ask to wait.
func accept(a reply, err error, most time.Duration) ([]byte, error) {
	switch {
	case encoded(a.header):
		a.body = nil // not readable
		if a.status == http.StatusOK && err == nil {
			err = fail(CodeUnreadable, mapi.Temp, errors.New("the body is compressed, which was not asked for"))
		}
	case len(a.body) > mapi.MaxAnswer && err == nil:
		err = fail(CodeUnreadable, mapi.Temp, fmt.Errorf("the body is larger than %d bytes", mapi.MaxAnswer))
	}
	switch {
	case a.status >= 300 && a.status < 400:
		err = fail(CodeRedirect, mapi.Temp, fmt.Errorf("status %d, not followed", a.status))
	case a.status != http.StatusOK && (a.status != 0 || err == nil): // a server may write 000
		err = refused(a, most)
	}
	return a.body, err
}

// encoded reports whether a body is in an encoding that was not asked for. "identity" is not one.
func encoded(h http.Header) bool {
	e := strings.Join(h.Values("Content-Encoding"), ",")
	return e != "" && !strings.EqualFold(e, "identity")
}

// classify returns the code for an error of the network. All such codes are Temp: nothing was
// answered.
func (t *tracer) classify(inner context.Context, err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return err
	}
	code := CodeUnreachable
	switch timeout := (interface{ Timeout() bool })(nil); {
	case ended(inner) != nil, errors.As(err, &timeout) && timeout.Timeout():
		code = CodeTimeout
	case errors.Is(err, errLogin):
		code = CodeHTTP + strconv.Itoa(http.StatusProxyAuthRequired)
	case t.connected():
		code = CodeCut
	case t.shookHands():
		code = CodeTLS
	}
	return fail(code, mapi.Temp, err)
}
