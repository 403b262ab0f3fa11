// Package gateway asks the signed gateway one question at a time.
//
// A [Client] makes one signed POST for each [Client.Ask]: it never follows a redirect,
// never sends a request twice, reads at most 256 KiB, keeps one deadline over the whole
// exchange, and verifies the other side's certificate. It returns an [Answer], or an [*Error]
// whose Class says what may be done. It does not retry; the caller does.
//
//	c, err := gateway.New(gateway.Options{Partners: []gateway.Partner{{ID: id, Key: key}}})
//	answer, report, err := c.Ask(ctx, gateway.Query{Partner: id, UserEmail: email}, nil)
//
// # Which question an answer belongs to
//
// The gateway's flat answer names nobody: whatever comes on a connection is taken as the answer to
// the question sent on it. Therefore:
//
//   - A connection carries one question. If that costs too much, Options.ReuseAfter lets it
//     carry more.
//   - Before its question it has been quiet for 100 ms. The connection of the next call is
//     dialled when a call begins, so that calls which follow each other do not wait for that.
//   - If bytes arrive before the question's first byte leaves, or after the end of its answer, the
//     connection is closed and the call fails with CodeStray, whatever the answer said. The
//     beginning of a TLS record counts as such bytes.
//   - If a kept connection turns out silent or is reset, no connection that was kept as long is
//     used again. A connection on which the gateway answers, or closes in order, says nothing about
//     the others.
//   - Where an answer repeats the request, every repeated value is compared.
//
// No client can detect the following: a proxy between client and gateway that answers this
// question, after it has left, with the answer to another one; bytes sent before the question that
// take more than 100 ms to arrive; and, with ReuseAfter, a second answer that comes later than
// that.
//
// What it costs (BenchmarkAskTLS, 4,000 calls of 128 callers, TLS on loopback, processor time of
// client and practice gateway together, medians of three on two cores): 1.58 ms a call, against
// 0.14 ms with net/http's Transport in the same run. That is 11.6 times as much, because each call
// has its own handshake. With a ReuseAfter of 1 ns a call costs 0.16 ms (1.2 times), with one of
// 100 ms 0.57 ms (4.2 times) while the connections are still being made. The first call after five
// seconds without one takes 100 ms longer.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"protocolq/gateway/mapi"
)

// Client asks one gateway for many partners. Safe for concurrent use. [Client.Run] keeps its
// keys fresh. A call may go on dialling the connection of the next one; [Client.Close] ends that.
type Client struct {
	options  Options
	url      *url.URL
	proxy    Proxy // zero if Options.ProxyEnv is nil
	partners map[string]*partner
	wire     *wire // nil if Options.RoundTripper replaces the network
	logger   *slog.Logger
}

// New checks all options at once, reads the key files, and returns a client.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	u, err := o.check()
	proxy, unfit := o.proxy(u)
	faults := []error{err, unfit}
	c := &Client{options: o, url: u, proxy: proxy, partners: map[string]*partner{}, logger: o.Logger}
	for i, p := range o.Partners {
		known, err := newPartner(p)
		if err == nil && c.partners[p.ID] != nil {
			err = errors.New("given twice")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("Partners[%d] %s: %w", i, p.ID, err))
			continue
		}
		if u != nil {
			known.sendTo(u)
		}
		c.partners[p.ID] = known
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if o.RoundTripper == nil {
		c.wire = newWire(o, u, c.proxy.URL)
	}
	return c, nil
}

// Ask makes one call and never more than one. If fence is not nil, Ask calls it before it looks for
// a connection, and again just before the first byte of the request leaves. An error of fence stops
// the call: nothing is sent, and Ask returns the error unchanged. If the caller's own context ends
// the call, Ask returns the context's error without a Class. Every other error is an [*Error].
func (c *Client) Ask(ctx context.Context, q Query, fence func() error) (Answer, Report, error) {
	request, p, err := c.sign(q)
	if err != nil {
		return Answer{}, Report{}, err
	}
	if err := pass(fence); err != nil {
		return Answer{}, Report{}, err
	}
	body, report, err := c.exchange(ctx, request, fence)
	report.StringToSign = request.StringToSign
	var answer Answer
	if err == nil {
		answer, err = read(body, request.Params, p.verifier(), request.Charset)
	}
	if q.Explain && report.Unread(err) {
		report.Excerpt = excerpt(body)
	}
	return answer, report, err
}

// Request is a signed query, ready to be sent or shown. It holds the signature and the account: do
// not log it.
type Request struct {
	Action       string // the gateway's URL with only _input_charset, as in the action of a form
	Params       mapi.Params
	Charset      mapi.Charset
	StringToSign string // without the key, as text; only with Query.Explain
	Body         string // the form, percent-encoded in Charset

	url *url.URL // Action; never changed
}

// String leaves out what must not be logged.
func (r Request) String() string { return "POST " + r.Action + " [redacted]" }

// GoString is String.
func (r Request) GoString() string { return r.String() }

// LogValue is String.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Sign makes the request that [Client.Ask] would send.
func (c *Client) Sign(q Query) (Request, error) {
	request, _, err := c.sign(q)
	return request, err
}

func (c *Client) sign(q Query) (Request, *partner, error) {
	p := c.partners[q.Partner]
	if p == nil {
		return Request{}, nil, fail(CodeNoPartner, mapi.Conf, errors.New("no such partner is configured"))
	}
	if q.UserEmail == "" && q.AccountNo == "" {
		return Request{}, nil, fail(CodeNoAccount, mapi.Input, nil)
	}
	request, err := p.request(q, c.options.AccountParam)
	if unmappable := (*mapi.UnmappableError)(nil); errors.As(err, &unmappable) {
		return Request{}, nil, fail(CodeCharset, mapi.Input, err)
	}
	if err != nil {
		return Request{}, nil, fail(CodeCannotSign, mapi.Conf, err)
	}
	request.url, request.Action = p.url, p.action
	return request, p, nil
}

// Proxy is the proxy that the environment named when the client was made; zero if Options.ProxyEnv
// is nil.
func (c *Client) Proxy() Proxy { return c.proxy }

// Close ends the idle connections and the dials ahead. Calls in flight end by themselves.
func (c *Client) Close() {
	if c.wire != nil {
		c.wire.close()
	}
}

func pass(fence func() error) error {
	if fence == nil {
		return nil
	}
	return fence()
}
