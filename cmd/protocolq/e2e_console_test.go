//go:build unix

// The first steps of a newcomer: dev is started, and an agreement is looked up in the browser,
// in either language, without reading anything first.

package main

import (
	"strings"
	"testing"

	"protocolq/cmd/protocolq/console/browsertest"
)

func TestLookUpFromDev(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	p, s, _ := dev(t, "--console-listen", "127.0.0.1:0", "--freshness", "10m") // longer than this test takes
	// After its tabs are closed: one with a watch goes on asking it.
	t.Cleanup(func() { p.stop() })
	for _, look := range []struct {
		browsertest.Look
		part, want string
	}{
		{browsertest.Look{}, "signed", "Signed for deduction and refund"},
		{browsertest.Look{}, "no-sign-customer", "Not signed, or terminated"},
		{browsertest.Look{Lang: "zh-CN"}.Phone(), "system-error-2", "已签约"},
		{browsertest.Look{Lang: "zh-CN"}, "no-normal-sign-customer", "已签约，但目前不可用"},
		{browsertest.Look{Lang: "zh-CN"}, "illegal-email", "支付宝没有此账号"},
		{browsertest.Look{}, "fault-garbage", "Not known yet"},
	} {
		tab := b.Tab(t, look.Look)
		tab.Visit(s.page)
		tab.Type(`input[name="account"]`, person(look.part, "page"))
		tab.Click("main button.primary", ".answer")
		tab.Await(".facts")
		tab.Check()
		if got := tab.Text(".answer h1"); !strings.HasPrefix(got, look.want) {
			t.Errorf("%s in %s: %q, want %q", look.part, tab.Name(), got, look.want)
		}
		if look.part == "no-sign-customer" {
			tab.Click(".answer-watch button", ".note.good") // "tell me when it is signed"
			tab.Await(".rows.watches .badge")
			tab.Check()
		}
	}
	// The same question again costs no call; "ask again now" does, once the answer is older than
	// min-age.
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(s.page)
	tab.Type(`input[name="account"]`, person("signed", "page"))
	tab.Click("main button.primary", ".facts")
	if got := tab.Text(".age"); !strings.HasPrefix(got, "Remembered from") {
		t.Errorf("the same question: %q", got)
	}
	for tries := 0; strings.HasPrefix(tab.Text(".age"), "Remembered from"); tries++ {
		if tries == 20 {
			t.Fatal("asking again asks nobody")
		}
		browsertest.Eval[string](tab, `document.body.id = "before"`)
		tab.Click("[data-again]", "body:not(#before) .facts")
	}
}
