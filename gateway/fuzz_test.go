// Whatever the network brings, an answer is never invented.

package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"testing"

	"protocolq/gateway"
)

// bodies answers each request with the bytes of the moment.
type bodies struct{ now []byte }

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(bytes.NewReader(b.now))}, nil
}

// FuzzAnswer holds that a status comes only from a document that says is_success once and
// then either both flags or a code; and that all else is an *Error with a class.
func FuzzAnswer(f *testing.F) {
	seeds := []string{
		`<?xml version="1.0" encoding="utf-8"?><alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>F</refund_charge></alipay>`,
		`<alipay><is_success>T</is_success><charge_agent>F</charge_agent><refund_charge>F</refund_charge><sign>x</sign><sign_type>MD5</sign_type></alipay>`,
		`<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`,
		`<alipay><is_success>F</is_success><error>NO_NORMAL_SIGN_CUSTOMER</error></alipay>`,
		`<alipay><is_success>T</is_success><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`,
		`<?xml version="1.0" encoding="GBK"?><alipay><is_success>T</is_success><request><param name="user_email">signed@example.com</param></request><response><q><charge_agent>F</charge_agent><refund_charge>F</refund_charge></q></response></alipay>`,
		`<html><body>502 Bad Gateway</body></html>`,
	}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	wire := &bodies{}
	c := newClient(f, func(o *gateway.Options) { o.RoundTripper = wire })
	f.Fuzz(func(t *testing.T, body []byte) {
		wire.now = body
		a, _, err := c.Ask(t.Context(), email("signed"), nil)
		if err != nil {
			var e *gateway.Error
			if !errors.As(err, &e) || e.Class == 0 || e.Code == "" || a.Status != "" {
				t.Fatalf("%+v, %v", a, err)
			}
			return
		}
		if bytes.Contains(body, []byte("<![CDATA[")) {
			return // may hold what looks like an element
		}
		says := func(name string) int {
			return len(regexp.MustCompile(`<`+name+`[ \t\r\n]*>`).FindAll(body, -1))
		}
		if says("is_success") != 1 || says("error") != 1 && (says("charge_agent") != 1 || says("refund_charge") != 1) {
			t.Fatalf("%+v is invented", a)
		}
	})
}
