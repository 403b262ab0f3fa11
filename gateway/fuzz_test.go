// Whatever the network brings, the client never invents an answer.

package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"testing"
	"unicode/utf8"

	"protocolq/gateway"
)

// bodies responds to each request with the present bytes.
type bodies struct{ now []byte }

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(bytes.NewReader(b.now))}, nil
}

var cdata = regexp.MustCompile(`(?s)<!\[CDATA\[.*?\]\]>`)

// FuzzAnswer checks that a status comes only from a document with is_success once and either both
// flags or a code, and that everything else is an *Error with a class.
func FuzzAnswer(f *testing.F) {
	seeds := []string{
		`<?xml version="1.0" encoding="utf-8"?><alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>F</refund_charge></alipay>`,
		`<alipay><is_success>T</is_success><charge_agent>F</charge_agent><refund_charge>F</refund_charge><sign>x</sign><sign_type>MD5</sign_type></alipay>`,
		`<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`,
		`<alipay><is_success>F</is_success><error>NO_NORMAL_SIGN_CUSTOMER</error></alipay>`,
		`<alipay><is_success>T</is_success><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`,
		`<?xml version="1.0" encoding="GBK"?><alipay><is_success>T</is_success><request><param name="user_email">signed@example.com</param></request><response><q><charge_agent>F</charge_agent><refund_charge>F</refund_charge></q></response></alipay>`,
		"<alipay>\n<is_success>\n<![CDATA[T]]>\n</is_success>\n<error/><charge_agent> T\n</charge_agent><refund_charge><![CDATA[F]]></refund_charge></alipay>",
		`<alipay><is_success>T</is_success><charge_agent>T</charge_agent><x> <![CDATA[<refund_charge>F</refund_charge>]]> </x></alipay>`,
		"<alipay><is_success>F</is_success><error>\n<![CDATA[NO_SIGN_CUSTOMER]]>\n</error></alipay>",
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
		if bytes.Contains(body, []byte("<![CDATA[")) && bytes.ContainsFunc(body, func(r rune) bool { return r >= utf8.RuneSelf }) {
			return // half of a character of GBK can look like the end of the CDATA
		}
		bare := cdata.ReplaceAll(body, nil) // which may hold what looks like an element
		says := func(name string) bool {
			return len(regexp.MustCompile(`<`+name+`[ \t\r\n]*>`).FindAll(bare, -1)) == 1
		}
		byFlags := a.Code == "" && says("charge_agent") && says("refund_charge")
		if !says("is_success") || !byFlags && (a.Code == "" || !says("error")) {
			t.Fatalf("%+v is invented", a)
		}
	})
}
