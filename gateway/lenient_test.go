// What an answer may have around its words and still be read.

package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"protocolq/gateway"
)

// plainAnswer answers each request with one body under one Content-Encoding, | between lines.
type plainAnswer struct{ body, encoding string }

func (p plainAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{}
	if p.encoding != "" {
		h["Content-Encoding"] = strings.Split(p.encoding, "|")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Request: r, Body: io.NopCloser(strings.NewReader(p.body))}, nil
}

const plainBody = `<alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>F</refund_charge></alipay>`

func TestContentEncoding(t *testing.T) {
	for encoding, compressed := range map[string]bool{
		"": false, "identity": false, "Identity": false,
		"gzip": true, "identity, gzip": true, "identity|gzip": true, "gzip, identity": true, "br": true,
	} {
		c := newClient(t, func(o *gateway.Options) { o.RoundTripper = plainAnswer{plainBody, encoding} })
		a, _, err := c.Ask(t.Context(), email("signed"), nil)
		var e *gateway.Error
		if compressed != errors.As(err, &e) || compressed != (a.Status == "") || compressed && e.Code != gateway.CodeUnreadable {
			t.Errorf("%q: %+v, %v", encoding, a, err)
		}
	}
}
