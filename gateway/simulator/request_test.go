// What the practice gateway requires of a request.

package simulator_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

// with returns the parameters with one changed; "-" removes it.
func with(p mapi.Params, name, value string) mapi.Params {
	var out mapi.Params
	for _, q := range p {
		if q.Name != name {
			out = append(out, q)
		}
	}
	if value != "-" {
		out = append(out, mapi.Param{Name: name, Value: value})
	}
	return out
}

func TestRequestIsChecked(t *testing.T) {
	good := query(mapi.UTF8, "signed@example.com", "")
	signed := func(p mapi.Params) string { return form(t, p, mapi.UTF8) }
	plain := signed(good)
	for name, c := range map[string]struct{ url, body, want string }{
		"good":                        {"utf-8", plain, "T T T"},
		"another order":               {"utf-8", reversed(plain), "T T T"},
		"no charset in the URL":       {"", plain, "ILLEGAL_SIGN"},
		"another charset in the URL":  {"gbk", plain, "ILLEGAL_SIGN"},
		"another spelling in the URL": {"UTF-8", plain, "ILLEGAL_SIGN"},
		"all parameters in the URL":   {"utf-8&" + plain, plain, "ILLEGAL_SIGN"},
		"one more in the URL":         {"utf-8&partner=" + partnerID, plain, "ILLEGAL_SIGN"},
		"no charset in the body":      {"utf-8", signed(with(good, "_input_charset", "-")), "ILLEGAL_CHARSET"},
		"unknown charset":             {"latin1", signed(with(good, "_input_charset", "latin1")), "ILLEGAL_CHARSET"},
		"unknown partner":             {"utf-8", signed(with(good, "partner", "2088000000000000")), "ILLEGAL_PARTNER"},
		"wrong sign":                  {"utf-8", strings.Replace(plain, "&sign=", "&sign=0", 1), "ILLEGAL_SIGN"},
		"no sign":                     {"utf-8", "_input_charset=utf-8&partner=" + partnerID + "&sign_type=MD5", "ILLEGAL_SIGN"},
		"changed after signing":       {"utf-8", strings.Replace(plain, "signed%40", "singed%40", 1), "ILLEGAL_SIGN"},
		"another sign type":           {"utf-8", strings.Replace(plain, "sign_type=MD5", "sign_type=RSA", 1), "ILLEGAL_SIGN_TYPE"},
		"sign type in small letters":  {"utf-8", strings.Replace(plain, "sign_type=MD5", "sign_type=md5", 1), "ILLEGAL_SIGN_TYPE"},
		"another service":             {"utf-8", signed(with(good, "service", "customer_unsign")), "ILLEGAL_SERVICE"},
		"an unknown parameter":        {"utf-8", signed(with(good, "submit", "ok")), "ILLEGAL_ARGUMENT"},
		"an empty parameter":          {"utf-8", plain + "&trans_account=", "ILLEGAL_ARGUMENT"},
		"a repeated parameter":        {"utf-8", plain + "&biz_type=10004", "ILLEGAL_ARGUMENT"},
		"broken percent encoding":     {"utf-8", plain + "&trans_account=%zz", "ILLEGAL_ARGUMENT"},
		"another biz_type":            {"utf-8", signed(with(good, "biz_type", "10005")), "ILLEGAL_BIZ_TPYE"},
		"no biz_type":                 {"utf-8", signed(with(good, "biz_type", "-")), "ILLEGAL_BIZ_TPYE"},
		"nobody asked for":            {"utf-8", signed(with(good, "user_email", "-")), "NULL_EMAIL_AND_ACCOUNT_NO"},
		"gbk bytes that say utf-8":    {"utf-8", strings.Replace(plain, "signed%40", "%D5%C5%40", 1), "ILLEGAL_SIGN"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSimulator(t, nil)
			address := strings.TrimSuffix(action, "?_input_charset=")
			if c.url != "" {
				address = action + c.url
			}
			if got := roundTrip(t, s, post(t, address, c.body)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func reversed(body string) string {
	parts := strings.Split(body, "&")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, "&")
}

func roundTrip(t *testing.T, s *simulator.Simulator, req *http.Request) string {
	t.Helper()
	resp, err := s.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.Status
	}
	return told(t, body)
}

func TestMethods(t *testing.T) {
	s := newSimulator(t, nil)
	all := form(t, query(mapi.UTF8, "signed@example.com", ""), mapi.UTF8)
	get := func(method, rawURL string) *http.Request {
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		return (&http.Request{Method: method, URL: u, Header: http.Header{}}).WithContext(t.Context())
	}
	if got := roundTrip(t, s, get("GET", "http://gateway.test/gateway.do?"+all)); got != "T T T" {
		t.Errorf("a form sent by GET: %s", got)
	}
	if got := roundTrip(t, s, get("PUT", "http://gateway.test/gateway.do")); got != "Method Not Allowed" {
		t.Errorf("PUT: %s", got)
	}
	if got := roundTrip(t, s, get("GET", "http://gateway.test/")); got != "Not Found" {
		t.Errorf("another path: %s", got)
	}
	req := post(t, action+"utf-8", all)
	req.Header.Set("Content-Type", "application/json")
	if got := roundTrip(t, s, req); got != "ILLEGAL_ARGUMENT" {
		t.Errorf("another content type: %s", got)
	}
	if got := roundTrip(t, s, post(t, action+"utf-8", all+"&x="+strings.Repeat("x", 64<<10))); got != "ILLEGAL_ARGUMENT" {
		t.Errorf("64 KiB: %s", got)
	}
}

func TestPartnerCharset(t *testing.T) {
	s := newSimulator(t, func(o *simulator.Options) { o.Partners[0].Charset = mapi.GBK })
	if got := told(t, askRaw(t, s, mapi.GBK, "signed@example.com", "")); got != "T T T" {
		t.Errorf("its own: %s", got)
	}
	if got := told(t, askRaw(t, s, mapi.UTF8, "signed@example.com", "")); got != "ILLEGAL_CHARSET" {
		t.Errorf("another: %s", got)
	}
}
