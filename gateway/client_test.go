// The client's decisions, tested with the practice gateway without a network.

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

const partnerID = "2088101568353491"

var md5Key = mustKey(mapi.MD5, "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6")

func mustKey(t mapi.SignType, material string) mapi.Key {
	k, err := mapi.ParseKey(t, []byte(material))
	if err != nil {
		panic(err)
	}
	return k
}

func newSimulator(t testing.TB, change func(*simulator.Options)) *simulator.Simulator {
	t.Helper()
	o := simulator.Options{Partners: []simulator.Partner{{ID: partnerID, Key: md5Key}}}
	if change != nil {
		change(&o)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newClient(t testing.TB, change func(*gateway.Options)) *gateway.Client {
	t.Helper()
	o := gateway.Options{Partners: []gateway.Partner{{ID: partnerID, Key: md5Key}}}
	change(&o)
	c, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// pair is a client that calls a simulator's handler directly.
func pair(t testing.TB) (*gateway.Client, *simulator.Simulator) {
	s := newSimulator(t, nil)
	return newClient(t, func(o *gateway.Options) { o.RoundTripper = s }), s
}

func email(local string) gateway.Query {
	return gateway.Query{Partner: partnerID, UserEmail: local + "@example.com"}
}

func TestAnswers(t *testing.T) {
	c, _ := pair(t)
	yes, no := new(true), new(false)
	for local, want := range map[string]gateway.Answer{
		"signed":           {Status: gateway.Signed, ChargeAgent: yes, RefundCharge: yes, IsSuccess: "T"},
		"debit-only":       {Status: gateway.Signed, ChargeAgent: yes, RefundCharge: no, IsSuccess: "T"},
		"refund-only":      {Status: gateway.Signed, ChargeAgent: no, RefundCharge: yes, IsSuccess: "T"},
		"not-signed":       {Status: gateway.NotSigned, ChargeAgent: no, RefundCharge: no, IsSuccess: "T"},
		"no-sign-customer": {Status: gateway.NotSigned, IsSuccess: "F", Code: "NO_SIGN_CUSTOMER"},
		"abnormal":         {Status: gateway.Abnormal, IsSuccess: "F", Code: "NO_NORMAL_SIGN_CUSTOMER"},
	} {
		t.Run(local, func(t *testing.T) {
			got, report, err := c.Ask(t.Context(), email(local), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != want.Status || got.IsSuccess != want.IsSuccess || got.Code != want.Code ||
				show(got.ChargeAgent) != show(want.ChargeAgent) || show(got.RefundCharge) != show(want.RefundCharge) {
				t.Errorf("got %+v", got)
			}
			if got.Verification != mapi.Unsigned {
				t.Errorf("verification %q", got.Verification)
			}
			if report.HTTPStatus != 200 || report.Bytes == 0 || report.StringToSign != "" {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func show(b *bool) string {
	if b == nil {
		return "not told"
	}
	return fmt.Sprint(*b)
}

func TestEveryCodeHasItsClass(t *testing.T) {
	c, _ := pair(t)
	for _, code := range mapi.Codes() {
		if code.Class == mapi.Biz {
			continue
		}
		local := strings.ReplaceAll(strings.ToLower(code.Name), "_", "-")
		answer, _, err := c.Ask(t.Context(), email(local), nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != code.Name || e.Class != code.Class || e.Class == 0 || answer.Status != "" {
			t.Errorf("%s: %+v, %v", code.Name, answer, err)
		}
	}
}

func TestWhatSettlesNothingIsNoAnswer(t *testing.T) {
	c, _ := pair(t)
	for local, code := range map[string]string{
		"p": gateway.CodeUnclear, "flag-missing": gateway.CodeUnclear, "unlisted": "ILLEGAL_WEATHER",
	} {
		answer, _, err := c.Ask(t.Context(), email(local), nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != code || e.Class != mapi.Unlisted || answer.Status != "" {
			t.Errorf("%s: %+v, %v", local, answer, err)
		}
		if local == "p" && answer.IsSuccess != "P" {
			t.Errorf("is_success is kept: %+v", answer)
		}
	}
}

// Faults that leave the gateway's answer true and usable.
var harmless = map[string]bool{
	"delay": true, "gbk-label": true, "utf8-label": true, "signed-answer": true,
}

// TestFaultsNeverBecomeAnswers tries every fault of the practice gateway.
func TestFaultsNeverBecomeAnswers(t *testing.T) {
	codes := map[string]string{
		"hang": gateway.CodeTimeout, "slow-drip": gateway.CodeTimeout,
		"drop": gateway.CodeCut, "reset": gateway.CodeCut, "half-body": gateway.CodeCut,
		"404": "GATEWAY_HTTP_404", "500": "GATEWAY_HTTP_500", "502": "GATEWAY_HTTP_502", "503": "GATEWAY_HTTP_503",
		"429": "GATEWAY_HTTP_429", "429-after": "GATEWAY_HTTP_429", "429-date": "GATEWAY_HTTP_429",
		"503-after": "GATEWAY_HTTP_503", "503-date": "GATEWAY_HTTP_503",
		"redirect-301": gateway.CodeRedirect, "redirect-302": gateway.CodeRedirect, "redirect-303": gateway.CodeRedirect,
		"redirect-307": gateway.CodeRedirect, "redirect-308": gateway.CodeRedirect,
		"bad-sign": gateway.CodeBadSign, "system-error": "SYSTEM_ERROR", "p": gateway.CodeUnclear,
	}
	for _, name := range simulator.FaultNames() {
		t.Run(name, func(t *testing.T) {
			s := newSimulator(t, nil)
			timeout := 40 * time.Second // time-out for a busy machine
			if name == "hang" || name == "slow-drip" {
				timeout = 300 * time.Millisecond
			}
			c := newClient(t, func(o *gateway.Options) { o.URL, o.UnsafeHost, o.Timeout = serve(t, s), true, timeout })
			local := "fault-" + name
			if name == "delay" {
				local += "-5ms"
			}
			answer, report, err := c.Ask(t.Context(), email(local+"+canary"), nil)
			if harmless[name] {
				if err != nil || answer.Status != gateway.Signed {
					t.Fatalf("%+v, %v", answer, err)
				}
				return
			}
			var e *gateway.Error
			if !errors.As(err, &e) || answer.Status != "" {
				t.Fatalf("%+v, %v", answer, err)
			}
			want, ok := codes[name]
			if !ok {
				want = gateway.CodeUnreadable
			}
			wantClass := mapi.Temp
			if name == "p" {
				wantClass = mapi.Unlisted
			}
			if e.Code != want || e.Class != wantClass {
				t.Errorf("got %v, want %s", e, want)
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "sign=") {
				t.Errorf("personal data in %v", err)
			}
			if report.Total > timeout+6*time.Second {
				t.Errorf("took %s", report.Total)
			}
		})
	}
}

func TestRefusedBeforeAnyCall(t *testing.T) {
	c, s := pair(t)
	for name, q := range map[string]struct {
		gateway.Query
		code  string
		class gateway.Class
	}{
		"unknown partner": {gateway.Query{Partner: "2088000000000000", UserEmail: "a@b.c"}, gateway.CodeNoPartner, mapi.Conf},
		"nobody":          {gateway.Query{Partner: partnerID}, gateway.CodeNoAccount, mapi.Input},
		"not UTF-8":       {gateway.Query{Partner: partnerID, UserEmail: "\xff@example.com"}, gateway.CodeCharset, mapi.Input},
	} {
		_, _, err := c.Ask(t.Context(), q.Query, nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != q.code || e.Class != q.class {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestCharsetCannotHold(t *testing.T) {
	s := newSimulator(t, nil)
	c := newClient(t, func(o *gateway.Options) {
		o.RoundTripper = s
		o.Partners[0].Charset = mapi.GB2312
	})
	_, _, err := c.Ask(t.Context(), email("镕"), nil) // in GBK, not in GB2312
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != gateway.CodeCharset || e.Class != mapi.Input || len(s.Calls()) != 0 {
		t.Errorf("%v, %d calls", err, len(s.Calls()))
	}
}

func TestExplainShowsTheSignedText(t *testing.T) {
	c, _ := pair(t)
	q := gateway.Query{Partner: partnerID, UserEmail: "signed@example.com", AccountNo: "20881234567890120156", Explain: true}
	_, report, err := c.Ask(t.Context(), q, nil)
	want := "_input_charset=utf-8&biz_type=10004&partner=" + partnerID +
		"&service=query_customer_protocol&trans_account=20881234567890120156&user_email=signed@example.com"
	if err != nil || report.StringToSign != want {
		t.Errorf("%v\n got %s\nwant %s", err, report.StringToSign, want)
	}
	r, err := c.Sign(q)
	if err != nil || r.StringToSign != want || r.Action != gateway.DefaultURL+"?_input_charset=utf-8" ||
		r.Params.Get("sign") == "" || !strings.Contains(r.Body, "user_email=signed%40example.com") {
		t.Errorf("%s, %v", r.Body, err)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", r, r, r), slog.AnyValue(r).Resolve().String()} {
		if strings.Contains(shown, "signed@") || strings.Contains(shown, r.Params.Get("sign")) {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestFenceStopsTheCall(t *testing.T) {
	c, s := pair(t)
	lost := errors.New("lease lost")
	answer, _, err := c.Ask(t.Context(), email("signed"), func() error { return lost })
	if !errors.Is(err, lost) || answer.Status != "" || len(s.Calls()) != 0 {
		t.Errorf("%+v, %v, %d calls", answer, err, len(s.Calls()))
	}
}

func TestWhoseTimeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulator(t, nil)
		c := newClient(t, func(o *gateway.Options) { o.RoundTripper = s })

		start := time.Now()
		_, report, err := c.Ask(t.Context(), email("fault-hang"), nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeTimeout || e.Class != mapi.Temp {
			t.Errorf("the client's time: %v", err)
		}
		if took := time.Since(start); took != 8*time.Second || report.Total != took {
			t.Errorf("took %s, report says %s", took, report.Total)
		}

		for local, limit := range map[string]time.Duration{"fault-hang": time.Second, "fault-slow-drip": 3 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			_, _, err = c.Ask(ctx, email(local), nil)
			cancel()
			if errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the caller's time: %v", err)
			}
		}
		synctest.Wait()
	})
}

func TestAnswerToAnotherRequestIsNotBelieved(t *testing.T) {
	c, _ := pair(t)
	if a, _, err := c.Ask(t.Context(), email("wrapped"), nil); err != nil || a.Verification != mapi.Verified || a.UserID == "" {
		t.Errorf("its own: %+v, %v", a, err)
	}
	_, _, err := c.Ask(t.Context(), email("fault-other-account"), nil)
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != gateway.CodeUnreadable || !strings.Contains(e.Error(), "user_email differs") {
		t.Errorf("another's: %v", err)
	}
}
