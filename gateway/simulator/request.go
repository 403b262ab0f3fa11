// What the gateway requires of a request, checked in a fixed order.

package simulator

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"protocolq/gateway/mapi"
)

// maxRequest is far above any request of this service. It keeps out a runaway client.
const maxRequest = 64 << 10

// question is one request as read: its account and its partner.
type question struct {
	partnerID string
	partner   *partner // nil if unknown
	charset   mapi.Charset
	email     string
	account   string
	key       string // the account's name in the call log
}

// read returns the question, as far as it could be read, and the code of its refusal, "" if it is
// not refused. No document gives the order of the real gateway's checks. This order goes from the
// outside in: transport, charset, partner, signature, then meaning.
func (s *Simulator) read(r *http.Request) (question, string) {
	var q question
	form, code := formOf(r)
	if code != "" {
		return q, code
	}
	spelling, code := charsetOf(r, form)
	if code != "" {
		return q, code
	}
	charset, err := mapi.ParseCharset(spelling)
	if err != nil {
		return q, "ILLEGAL_CHARSET"
	}
	q.charset = charset
	params, code := decode(form, charset)
	if code != "" {
		return q, code
	}
	q.partnerID = params.Get("partner")
	q.email, q.account = params.Get("user_email"), params.Get(s.options.AccountParam)
	q.key = keyOf(q.email, q.account)
	if code := s.authenticate(&q, params); code != "" {
		return q, code
	}
	return q, s.checkMeaning(q, params)
}

// formOf returns the undecoded form. For a POST that is its body, in either of the two kinds of
// form. For a GET it is its query: the appendix allows GET, and a browser makes one from the form.
func formOf(r *http.Request) (string, string) {
	if r.Method == http.MethodGet {
		return r.URL.RawQuery, ""
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", "ILLEGAL_ARGUMENT"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil || len(body) > maxRequest {
		return "", "ILLEGAL_ARGUMENT"
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		return string(body), ""
	case "multipart/form-data":
		if form, err := formOfParts(body, params["boundary"]); err == nil {
			return form, ""
		}
	}
	return "", "ILLEGAL_ARGUMENT"
}

// charsetOf finds _input_charset, which must be the same in the URL and in the form. The appendix
// forbids anything else in the URL beside a form. Such a URL, and a missing or different charset,
// result in ILLEGAL_SIGN.
func charsetOf(r *http.Request, form string) (string, string) {
	inForm, ok := formValue(form, "_input_charset")
	if !ok || inForm == "" {
		return "", "ILLEGAL_CHARSET"
	}
	if r.Method == http.MethodPost && r.URL.RawQuery != "_input_charset="+url.QueryEscape(inForm) {
		return "", "ILLEGAL_SIGN"
	}
	return inForm, ""
}

func formValue(form, name string) (string, bool) {
	for pair := range strings.SplitSeq(form, "&") {
		n, v, _ := strings.Cut(pair, "=")
		if n == name {
			v, err := url.QueryUnescape(v)
			return v, err == nil
		}
	}
	return "", false
}

// decode returns the parameters as text. Bytes that are not valid in the charset cannot be what was
// signed: that is the usual ILLEGAL_SIGN of Chinese values in the wrong charset.
func decode(form string, charset mapi.Charset) (mapi.Params, string) {
	params := make(mapi.Params, 0, 10)
	for pair := range strings.SplitSeq(form, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, "ILLEGAL_ARGUMENT"
		}
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, "ILLEGAL_ARGUMENT"
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, "ILLEGAL_ARGUMENT"
		}
		if value, err = text(charset, value); err != nil {
			return nil, "ILLEGAL_SIGN"
		}
		for _, p := range params {
			if p.Name == name {
				return nil, "ILLEGAL_ARGUMENT"
			}
		}
		params = append(params, mapi.Param{Name: name, Value: value})
	}
	return params, ""
}

// text decodes only what needs it: plain ASCII is the same in every charset of the gateway.
func text(charset mapi.Charset, value string) (string, error) {
	for i := range len(value) {
		if value[i] >= 0x80 {
			return charset.Decode([]byte(value))
		}
	}
	return value, nil
}

func (s *Simulator) authenticate(q *question, params mapi.Params) string {
	if q.partner = s.partners[q.partnerID]; q.partner == nil {
		return "ILLEGAL_PARTNER"
	}
	if own := q.partner.Charset; !own.IsZero() && !strings.EqualFold(own.String(), q.charset.String()) {
		return "ILLEGAL_CHARSET"
	}
	if params.Get("sign_type") != string(q.partner.Key.SignType()) {
		return "ILLEGAL_SIGN_TYPE"
	}
	sign := params.Get("sign")
	if sign == "" || q.partner.verifier.Verify(params, q.charset, sign) != nil {
		return "ILLEGAL_SIGN"
	}
	return ""
}

func (s *Simulator) checkMeaning(q question, params mapi.Params) string {
	if params.Get("service") != "query_customer_protocol" {
		return "ILLEGAL_SERVICE"
	}
	for _, p := range params {
		if !s.documented(p.Name) {
			return "ILLEGAL_ARGUMENT"
		}
	}
	if biz := params.Get("biz_type"); biz != "10004" {
		return "ILLEGAL_BIZ_TPYE" // the gateway's spelling
	}
	if q.email == "" && q.account == "" {
		return "NULL_EMAIL_AND_ACCOUNT_NO"
	}
	for _, p := range params {
		if p.Value == "" {
			return "ILLEGAL_ARGUMENT"
		}
	}
	return ""
}

func (s *Simulator) documented(name string) bool {
	switch name {
	case "service", "partner", "_input_charset", "sign_type", "sign", "biz_type", "user_email":
		return true
	}
	return name == s.options.AccountParam
}

// keyOf names the account of the question in the call log: the e-mail, the account number, or both.
func keyOf(email, account string) string {
	if email == "" {
		return account
	}
	if account == "" {
		return email
	}
	return email + " " + account
}
