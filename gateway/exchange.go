// One POST and its answer's bytes: the part that touches the network.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"

	"protocolq/gateway/mapi"
)

// exchange sends the request once and gives the body of an HTTP 200.
func (c *Client) exchange(ctx context.Context, r Request, fence func() error) ([]byte, Report, error) {
	// The deadline lies over everything: a header time-out alone lets a body drip for ever.
	inner, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	t := newTracer()
	var fenced atomic.Pointer[error]
	check := func() error {
		err := pass(fence)
		if err != nil {
			fenced.Store(&err)
		}
		return err
	}
	trace := t.hooks()
	trace.GotConn = func(info httptrace.GotConnInfo) {
		t.gotConn(info)
		guard(info.Conn, check) // without a fence too: it replaces one that a cancelled call left
	}
	req, err := post(httptrace.WithClientTrace(inner, trace), r)
	if err != nil {
		return nil, t.report(), fail(CodeCannotSign, mapi.Bug, err)
	}
	body, err := c.send(req, t)
	report := t.report()
	if stopped := fenced.Load(); stopped != nil {
		return nil, report, *stopped
	}
	if err != nil && ctx.Err() != nil {
		return nil, report, fmt.Errorf("ask the gateway: %w", ctx.Err())
	}
	if err != nil {
		return nil, report, t.classify(inner, err)
	}
	return body, report, nil
}

// post makes the request. Its body can be read once: GetBody is what net/http would send
// it a second time from.
func post(ctx context.Context, r Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Action, strings.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	req.GetBody = nil
	req.Header["Content-Type"] = []string{"application/x-www-form-urlencoded; charset=" + r.Charset.String()}
	req.Header["Accept"] = []string{"text/xml, application/xml"}
	req.Header["User-Agent"] = []string{"protocolq"}
	return req, nil
}

// send uses the transport itself, not an http.Client: a transport follows no redirect.
func (c *Client) send(req *http.Request, t *tracer) ([]byte, error) {
	resp, err := c.transport().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	t.status(resp.StatusCode)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, fail(CodeRedirect, mapi.Temp, fmt.Errorf("status %d, not followed", resp.StatusCode))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fail(CodeHTTP+strconv.Itoa(resp.StatusCode), mapi.Temp, nil)
	}
	if resp.Header.Get("Content-Encoding") != "" {
		return nil, fail(CodeUnreadable, mapi.Temp, errors.New("the body is compressed, which was not asked for"))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mapi.MaxAnswer+1))
	t.bodyRead(len(body))
	if err != nil {
		return nil, err
	}
	if len(body) > mapi.MaxAnswer {
		return nil, fail(CodeUnreadable, mapi.Temp, fmt.Errorf("the body is larger than %d bytes", mapi.MaxAnswer))
	}
	return body, nil
}

// classify gives what the network did its word. All of it is Temp: nothing was answered.
func (t *tracer) classify(inner context.Context, err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return err
	}
	code := CodeUnreachable
	switch timeout := (interface{ Timeout() bool })(nil); {
	case inner.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		code = CodeTimeout
	case t.connected():
		code = CodeCut
	case t.shookHands():
		code = CodeTLS
	}
	return fail(code, mapi.Temp, err)
}
