// The page as readers see it: a real Chromium, a real server, and played workers.

package console_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/browsertest"
	"protocolq/cmd/protocolq/console/lookup"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
)

// played replies like the practice gateway: by the first part of the e-mail.
type played struct {
	released chan struct{} // closed: "held" is answered, too

	mu    sync.Mutex // guards asked
	asked []messages.Query
}

func (p *played) Ask(ctx context.Context, q messages.Query) (messages.Result, error) {
	p.mu.Lock()
	p.asked = append(p.asked, q)
	p.mu.Unlock()
	part, _, _ := strings.Cut(q.UserEmail, "@")
	if part == "slow" && q.MaxAgeMs == nil {
		select {
		case <-ctx.Done():
			return messages.Result{}, ctx.Err()
		case <-time.After(4 * time.Second):
		}
	}
	if part == "held" {
		select {
		case <-ctx.Done():
			return messages.Result{}, ctx.Err()
		case <-p.released:
		}
	}
	yes, no := true, false
	now := time.Now()
	r := messages.Result{V: 1, ID: q.ID, Partner: "2088000000000001", Run: "DmUPMWyCUZlGetxjiN0QDD", Source: messages.Asked, Attempts: 1,
		AskedAtMs: now.UnixMilli(), AnsweredAtMs: now.UnixMilli(), ExpiresAtMs: now.Add(time.Minute).UnixMilli()}
	switch part {
	case "debit-only":
		r.Outcome, r.ChargeAgent, r.RefundCharge, r.UserID = messages.Signed, &yes, &no, "2088611907349595"
	case "old":
		r.Outcome, r.ChargeAgent, r.RefundCharge, r.UserID = messages.Signed, &yes, &yes, "2088611907349595"
		if q.MaxAgeMs == nil {
			r.Source, r.Attempts, r.AskedAtMs = messages.Remembered, 0, now.Add(-45*time.Second).UnixMilli()
		}
	case "not-signed":
		r.Outcome, r.Code = messages.NotSigned, "NO_SIGN_CUSTOMER"
	case "abnormal":
		r.Outcome, r.Code = messages.Abnormal, "NO_NORMAL_SIGN_CUSTOMER"
	case "nobody":
		r.Outcome, r.Code = messages.Refused, "ILLEGAL_EMAIL"
	case "later":
		r.Outcome, r.Code, r.Retryable, r.RetryAfterMs = messages.Unknown, "SYSTEM_ERROR", true, 30_000
	case "away":
		return messages.Result{}, errors.New("no worker listens there")
	case "hostile":
		r.Outcome, r.Code, r.Partner, r.Run, r.UserID, r.Message = messages.Refused, hostile, hostile, hostile, hostile, hostile
	default:
		r.Outcome, r.ChargeAgent, r.RefundCharge, r.UserID = messages.Signed, &yes, &yes, "2088611907349595"
	}
	return r, nil
}

const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{.}}\u202e"

// open serves the page; users is nil if everybody is an operator.
func open(t *testing.T, users *access.Users) (url string, p *played) {
	t.Helper()
	p = &played{released: make(chan struct{})}
	page, err := web.New(web.Options{Users: users, Sections: []web.Section{
		lookup.New(lookup.Options{Asker: p, Partners: []string{"2088000000000001", "2088000000000002"}}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(page)
	t.Cleanup(srv.Close)
	t.Cleanup(func() {
		for _, r := range page.Reports() {
			t.Errorf("the policy kept something off a page: %s", r)
		}
	})
	return srv.URL, p
}

// lookUp types an account and waits for the answer.
func lookUp(tab *browsertest.Tab, url, account string) string {
	tab.Visit(url)
	tab.Type(`input[name="account"]`, account)
	tab.Click(".look-do", ".answer h1, .note")
	tab.Await(".facts summary, .note")
	tab.Check()
	return tab.Text(".answer h1, .note")
}

func TestLookUpInTheBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url, _ := open(t, nil)
	wants := map[string][2]string{
		"signed@example.com":     {"Signed for deduction and refund", "已签约，可扣款、可退款"},
		"debit-only@example.com": {"Signed for deduction only", "已签约，仅可扣款"},
		"old@example.com":        {"Signed for deduction and refund", "已签约，可扣款、可退款"},
		"not-signed@example.com": {"Not signed, or terminated", "未签约或已解约"},
		"abnormal@example.com":   {"Signed, but not usable at present", "已签约，但目前不可用"},
		"nobody@example.com":     {"Alipay has no such account", "支付宝没有此账号"},
		"later@example.com":      {"Not known yet", "暂时无法确定"},
		"away@example.com":       {"Not known yet", "暂时无法确定"},
		"hostile@example.com":    {"This could not be asked", "无法查询"},
		"slow@example.com":       {"Signed for deduction and refund", "已签约，可扣款、可退款"},
	}
	for i, look := range []browsertest.Look{{Lang: "en"}, {Lang: "zh-CN", Dark: true}} {
		tab := b.Tab(t, look)
		for account, want := range wants {
			part, _, _ := strings.Cut(account, "@")
			if got := lookUp(tab, url, account); got != want[i] {
				t.Errorf("%s in %s: %q, want %q", account, look.Lang, got, want[i])
			}
			tab.Accessible()
			tab.Screenshot("answer-" + part + "-" + tab.Name())
		}
	}
	for _, look := range []browsertest.Look{{}, {Dark: true, Lang: "zh-CN"}} {
		for _, look := range []browsertest.Look{look, look.Phone()} {
			tab := b.Tab(t, look)
			tab.Visit(url)
			tab.Accessible()
			tab.Screenshot("lookup-" + tab.Name())
			lookUp(tab, url, "debit-only@example.com")
			tab.Click(".facts summary", ".facts dl")
			tab.Accessible()
			tab.Screenshot("facts-" + tab.Name())
			tab.Click(".menu summary", ".menu-box")
			tab.Accessible()
			tab.Screenshot("menu-" + tab.Name())
		}
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, true func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !true(); {
		if time.Now().After(end) {
			t.Fatal("it did not come true")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
