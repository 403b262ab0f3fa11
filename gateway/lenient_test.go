// What an answer may have around its values and still be read: white space, CDATA, an empty error.

package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// plainAnswer responds to each request with one body in one Content-Encoding; | separates its
// lines.
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

// TestWhiteSpaceAround checks that white space around a value does not change what is read.
func TestWhiteSpaceAround(t *testing.T) {
	const flags = `<charge_agent>F</charge_agent><refund_charge>F</refund_charge>`
	tests := []struct {
		name, inner string
		status      gateway.Status
		code        string
	}{
		{"plain", `<is_success>T</is_success>` + flags, gateway.NotSigned, ""},
		{"lines of their own", "<is_success>\nT\n</is_success><charge_agent>\r\n\tT </charge_agent><refund_charge> F</refund_charge>",
			gateway.Signed, ""},
		{"CDATA", "<is_success><![CDATA[T]]></is_success>" + flags, gateway.NotSigned, ""},
		{"CDATA on a line of its own", "<is_success>\n  <![CDATA[T]]>\n</is_success>\n<charge_agent>\n<![CDATA[ T ]]>\n</charge_agent>" +
			"<refund_charge>\n<![CDATA[F]]></refund_charge>", gateway.Signed, ""},
		{"empty error beside success", `<is_success>T</is_success><error/>` + flags, gateway.NotSigned, ""},
		{"blank error beside success", "<is_success>T</is_success><error>\n</error>" + flags, gateway.NotSigned, ""},
		{"empty CDATA as error", "<is_success>T</is_success><error>\n<![CDATA[]]>\n</error>" + flags, gateway.NotSigned, ""},
		{"a code", "<is_success>\nF\n</is_success><error>\n NO_SIGN_CUSTOMER\n</error>", gateway.NotSigned, "NO_SIGN_CUSTOMER"},
		{"a code in CDATA", "<is_success>F </is_success><error>\n<![CDATA[NO_NORMAL_SIGN_CUSTOMER]]>\n</error>",
			gateway.Abnormal, "NO_NORMAL_SIGN_CUSTOMER"},

		{"error beside success", `<is_success>T</is_success><error>X</error>` + flags, "", gateway.CodeUnclear},
		{"failure, empty error", `<is_success>F</is_success><error/>` + flags, "", gateway.CodeUnclear},
		{"failure, blank error", `<is_success>F</is_success><error> </error>` + flags, "", gateway.CodeUnclear},
		{"blank is_success", `<is_success> </is_success>` + flags, "", gateway.CodeUnreadable},
		{"blank flag", `<is_success>T</is_success><charge_agent> </charge_agent><refund_charge>F</refund_charge>`, "", gateway.CodeUnclear},
		{"two words", `<is_success>T F</is_success>` + flags, "", gateway.CodeUnclear},
		{"text beside CDATA", `<is_success>T<![CDATA[F]]></is_success>` + flags, "", gateway.CodeUnreadable},
		{"two CDATA", "<is_success><![CDATA[T]]>\n<![CDATA[F]]></is_success>" + flags, "", gateway.CodeUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, func(o *gateway.Options) { o.RoundTripper = plainAnswer{body: "<alipay>" + tt.inner + "</alipay>"} })
			a, _, err := c.Ask(t.Context(), email("signed"), nil)
			code := a.Code
			if e := (*gateway.Error)(nil); errors.As(err, &e) {
				code = e.Code
			}
			if a.Status != tt.status || code != tt.code || (err == nil) != (tt.status != "") {
				t.Errorf("%+v, %v", a, err)
			}
			if strings.TrimSpace(a.IsSuccess) != a.IsSuccess {
				t.Errorf("is_success %q", a.IsSuccess)
			}
		})
	}
}

// TestWhiteSpaceOfWrappedAnswer reads what a page template with indented leaves makes.
func TestWhiteSpaceOfWrappedAnswer(t *testing.T) {
	body := func(who string) string {
		return "<alipay>\n<is_success>\nT\n</is_success>\n<request>\n<param name=\"user_email\">\n" + who + "\n</param>\n</request>\n" +
			"<response>\n<q>\n<user_id>\n2088000000000001\n</user_id>\n<charge_agent>\nT\n</charge_agent>\n" +
			"<refund_charge>\nF\n</refund_charge>\n</q>\n</response>\n</alipay>"
	}
	c := newClient(t, func(o *gateway.Options) { o.RoundTripper = plainAnswer{body: body("signed@example.com")} })
	if a, _, err := c.Ask(t.Context(), email("signed"), nil); err != nil || a.Status != gateway.Signed || a.UserID != "2088000000000001" {
		t.Errorf("%+v, %v", a, err)
	}
	c = newClient(t, func(o *gateway.Options) { o.RoundTripper = plainAnswer{body: body("other@example.com")} })
	if a, _, err := c.Ask(t.Context(), email("signed"), nil); err == nil || a.Status != "" {
		t.Errorf("another's: %+v", a)
	}
}

// TestSignCoversRawValues checks that only reading trims: a signature over trimmed values is bad.
func TestSignCoversRawValues(t *testing.T) {
	sign := func(agent string) string {
		s, err := md5Key.Sign(mapi.Params{{Name: "charge_agent", Value: agent}, {Name: "refund_charge", Value: "F"}}, mapi.UTF8)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for signed, want := range map[string]mapi.Verification{"\nT\n": mapi.Verified, "T": mapi.Bad} {
		for _, value := range []string{"\nT\n", "\n<![CDATA[T]]>\n"} {
			body := "<alipay><is_success>T</is_success><charge_agent>" + value + "</charge_agent><refund_charge>F</refund_charge>" +
				"<sign>" + sign(signed) + "</sign></alipay>"
			c := newClient(t, func(o *gateway.Options) { o.RoundTripper = plainAnswer{body: body} })
			a, _, err := c.Ask(t.Context(), email("signed"), nil)
			if a.Verification != want || (a.Status == gateway.Signed) != (want == mapi.Verified) {
				t.Errorf("%q signed as %q: %+v, %v", value, signed, a, err)
			}
		}
	}
}
