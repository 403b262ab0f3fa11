// The judge of all contestants: what it refuses, and what it counts.
package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"protocolq/cmd/peerbench/gw"
	"protocolq/cmd/peerbench/payload"
)

func newServer() *server {
	s := &server{key: gw.DefaultKey, partner: gw.DefaultPartner, ignore: map[string]bool{"sign": true, "sign_type": true, "_input_charset": true}}
	s.reset(nil, nil)
	return s
}

func call(t *testing.T, s *server, change func(url.Values)) string {
	t.Helper()
	p := url.Values{"service": {gw.Service}, "partner": {gw.DefaultPartner}, "_input_charset": {gw.Charset}, "biz_type": {gw.BizType}, "user_email": {payload.Key(7)}, "sign_type": {gw.SignType}}
	change(p)
	if p.Get("sign") == "" {
		p.Set("sign", gw.Sign(p, gw.DefaultKey))
	}
	r := httptest.NewRequest(http.MethodPost, "/gateway.do?_input_charset=utf-8", strings.NewReader(p.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.query(w, r)
	return w.Body.String()
}

func counted(t *testing.T, s *server) (st Stats) {
	t.Helper()
	w := httptest.NewRecorder()
	s.stats(w, nil)
	if err := json.Unmarshal(w.Body.Bytes(), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestRefuses(t *testing.T) {
	for code, change := range map[string]func(url.Values){
		"ILLEGAL_SIGN":              func(p url.Values) { p.Set("sign", "0") },
		"ILLEGAL_SIGN_TYPE":         func(p url.Values) { p.Set("sign_type", "RSA") },
		"ILLEGAL_SERVICE":           func(p url.Values) { p.Set("service", "x") },
		"ILLEGAL_PARTNER":           func(p url.Values) { p.Set("partner", "1") },
		"ILLEGAL_BIZ_TPYE":          func(p url.Values) { p.Set("biz_type", "1") },
		"NULL_EMAIL_AND_ACCOUNT_NO": func(p url.Values) { p.Del("user_email") },
		"ILLEGAL_EMAIL":             func(p url.Values) { p.Set("user_email", "a@b") },
	} {
		s := newServer()
		if got := call(t, s, change); !strings.Contains(got, "<error>"+code+"</error>") {
			t.Errorf("%s: %s", code, got)
		}
		if st := counted(t, s); st.Calls != 0 || st.BadSign+st.BadParams != 1 {
			t.Errorf("%s: counted %+v", code, st)
		}
	}
}

func TestCountsByKey(t *testing.T) {
	s := newServer()
	for _, n := range []uint64{1, 1, 1, 2, 2, 3} {
		if got := call(t, s, func(p url.Values) { p.Set("user_email", payload.Key(n)) }); !strings.Contains(got, "<user_id>"+payload.UserID(payload.Key(n))+"</user_id>") {
			t.Error(got)
		}
	}
	if st := counted(t, s); st.Calls != 6 || st.Distinct != 3 || st.Dup != 3 || st.DupKeys != 2 || st.MaxPerKey != 3 || st.Overlap != 0 {
		t.Errorf("counted %+v", st)
	}
	s.errorRate = 1
	if got := call(t, s, func(url.Values) {}); !strings.Contains(got, "SYSTEM_ERROR") {
		t.Error(got)
	}
	if st := counted(t, s); st.Injected != 1 || st.Dup != 3 {
		t.Errorf("an injected failure is no second answer: %+v", st)
	}
	s.reset(nil, nil)
	if st := counted(t, s); st != (Stats{}) {
		t.Errorf("after the reset %+v", st)
	}
}
