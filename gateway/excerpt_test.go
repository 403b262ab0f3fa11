// What a person sees of a body that was no answer.

package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"protocolq/gateway"
)

// canned responds to each request with one response.
type canned struct {
	status      int
	contentType string
	encoding    string
	body        string
	cut         bool // the connection ends after the body
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {c.contentType}}
	if c.encoding != "" {
		header.Set("Content-Encoding", c.encoding)
	}
	var body io.Reader = strings.NewReader(c.body)
	if c.cut {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{StatusCode: c.status, Header: header, Request: r, Body: io.NopCloser(body), ContentLength: int64(len(c.body))}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func askCanned(t testing.TB, c canned, explain bool) (gateway.Report, error) {
	t.Helper()
	client := newClient(t, func(o *gateway.Options) { o.RoundTripper = c })
	q := email("signed")
	q.Explain = explain
	_, report, err := client.Ask(t.Context(), q, nil)
	return report, err
}

const (
	page = "<!DOCTYPE html>\n<html><head><title>错误</title><style>p > b { color: red }</style><script>var a = '<b>no</b>';</script></head>\n" +
		"<body><!-- <p>hidden</p> --><p class='x'>code:&nbsp;<b>ILLEGAL_SIGN</b> &lt;x&gt;</p></body></html>"
	pageShown = "错误 code: ILLEGAL_SIGN <x>"
)

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("界", 300) // 900 bytes
	for _, tt := range []struct {
		name string
		in   canned
		code string
		want string
	}{
		{"page", canned{status: 200, body: page}, gateway.CodeUnreadable, pageShown},
		{"page of a status", canned{status: 502, body: page}, "GATEWAY_HTTP_502", pageShown},
		{"page of a redirect", canned{status: 302, body: "<html>moved <a href='x'>here</a></html>"}, gateway.CodeRedirect, "moved here"},
		{"page in GBK", canned{status: 200, body: "<HTML>\xb4\xed\xce\xf3</HTML>"}, gateway.CodeUnreadable, "错误"},
		{"page without a text", canned{status: 200, body: "<html><meta x></html>"}, gateway.CodeUnreadable, "<html><meta x></html>"},
		{"page cut in a tag", canned{status: 200, body: "<html>ab<scr", cut: true}, gateway.CodeCut, "ab"},
		{"page cut in a script", canned{status: 503, body: "<html>ab<script>x"}, "GATEWAY_HTTP_503", "ab"},
		{"page cut in a character", canned{status: 503, body: "<html>ab\xe9\x94"}, "GATEWAY_HTTP_503", "ab"},
		{"text", canned{status: 200, body: "a < b\nc"}, gateway.CodeUnreadable, "a < b\nc"},
		{"bytes of no charset", canned{status: 200, body: "a\xff\xffb\x00c"}, gateway.CodeUnreadable, "a\xff\xffb\x00c"},
		{"UTF-16", canned{status: 200, body: "\xff\xfea\x00b\x00"}, gateway.CodeUnreadable, "ab"},
		{"UTF-16, the other way round", canned{status: 200, body: "\x00<\x00b\x00>"}, gateway.CodeUnreadable, "<b>"},
		{"settles nothing", canned{status: 200, body: "<alipay><is_success>P</is_success></alipay>"}, gateway.CodeUnclear,
			"<alipay><is_success>P</is_success></alipay>"},
		{"long", canned{status: 200, body: long}, gateway.CodeUnreadable, long[:798]},
		{"too large", canned{status: 200, body: strings.Repeat("x", 300<<10)}, gateway.CodeUnreadable, strings.Repeat("x", 800)},
		{"empty", canned{status: 500}, "GATEWAY_HTTP_500", ""},
		{"compressed", canned{status: 200, encoding: "gzip", body: "\x1f\x8b"}, gateway.CodeUnreadable, ""},
		{"the gateway's own word", canned{status: 200, body: "<alipay><is_success>F</is_success><error>ILLEGAL_SIGN</error></alipay>"}, "ILLEGAL_SIGN", ""},
		{"an answer", canned{status: 200, body: "<alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>T</refund_charge></alipay>"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report, err := askCanned(t, tt.in, true)
			code := ""
			if e := (*gateway.Error)(nil); errors.As(err, &e) {
				code = e.Code
			}
			if report.Excerpt != tt.want || code != tt.code {
				t.Errorf("%s: %q\nwant %s: %q", code, report.Excerpt, tt.code, tt.want)
			}
			if report.Unread(err) != strings.HasPrefix(tt.code, "GATEWAY_") {
				t.Errorf("unread: %v", report.Unread(err))
			}
			if report, err := askCanned(t, tt.in, false); report.Excerpt != "" || err != nil && strings.Contains(err.Error(), "<html") {
				t.Errorf("kept though nobody asked for it: %q, %v", report.Excerpt, err)
			}
		})
	}
}

// The body of an HTTP error is read only for a person; its length is always known.
func TestContentTypeAndLength(t *testing.T) {
	for _, explain := range []bool{true, false} {
		for in, want := range map[string]string{
			"":                                       "",
			" text/html; charset=utf-8 ":             "text/html; charset=utf-8",
			"text/\x1b[31mhtml\r\n字":                 "text/?[31mhtml???",
			"text/html; " + strings.Repeat("x", 200): "text/html; " + strings.Repeat("x", 89),
		} {
			report, _ := askCanned(t, canned{status: 502, contentType: in, body: page}, explain)
			if report.ContentType != want || report.HTTPStatus != 502 || report.Bytes != len(page) {
				t.Errorf("%q: %q, HTTP %d, %d bytes", in, report.ContentType, report.HTTPStatus, report.Bytes)
			}
		}
	}
	if report, _ := askCanned(t, canned{status: 502, body: strings.Repeat("x", 1<<20)}, false); report.Bytes != 256<<10+1 {
		t.Errorf("a length that is only said counts as %d", report.Bytes)
	}
	if report, err := askCanned(t, canned{status: 200, contentType: "text/xml", body: "x"}, false); report.ContentType != "text/xml" || report.Bytes != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

// FuzzExcerpt checks that any body is cut, and that text of a charset is shown as text.
func FuzzExcerpt(f *testing.F) {
	seeds := []string{page, "<html>", "<html><!--", "<html><script></SCRIPT >x", "<html><<<>>>", "\xff\xfe<\x00", "\xb4\xed", "<html>&#x1b;&amp", strings.Repeat("<a>界", 400)}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add([]byte(s), 502)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 599 {
			status = 200
		}
		report, err := askCanned(t, canned{status: status, body: string(body)}, true)
		if len(report.Excerpt) > 800 || report.Excerpt != "" && !report.Unread(err) {
			t.Fatalf("%d bytes, %v", len(report.Excerpt), err)
		}
		if utf8.Valid(body) && !bytes.HasPrefix(body, []byte("<\x00")) && !bytes.HasPrefix(body, []byte("\x00<")) && !utf8.ValidString(report.Excerpt) {
			t.Fatalf("%q", report.Excerpt)
		}
	})
}
