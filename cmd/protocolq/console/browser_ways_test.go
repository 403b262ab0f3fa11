// Ways of using the page: by keyboard, without scripts, in another language, on paper.

package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"protocolq/cmd/protocolq/console/browsertest"
)

func TestKeyboard(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url, p := open(t, nil)
	tab := b.Tab(t, browsertest.Look{})
	lookUp(tab, url, "signed@example.com")
	lookUp(tab, url, "not-signed@example.com")

	tab.Visit(url)
	focused := func() string {
		return browsertest.Eval[string](tab, "document.activeElement.name || document.activeElement.tagName")
	}
	if focused() != "account" {
		t.Errorf("the field is not ready for typing: %s", focused())
	}
	tab.Press(kb.Escape)
	tab.Press("/")
	if value := browsertest.Eval[string](tab, "document.activeElement.value"); focused() != "account" || value != "" {
		t.Errorf("after / the focus is on %s with %q", focused(), value)
	}
	tab.Press(kb.Escape)
	tab.Press("?")
	tab.Await("dialog[open]")
	tab.Accessible()
	tab.Screenshot("keys-" + tab.Name())
	tab.Press(kb.Escape)
	tab.Press("j")
	tab.Press("j")
	tab.Press("k")
	tab.Press("j")
	if ring := browsertest.Eval[string](tab, "getComputedStyle(document.activeElement).outlineStyle"); ring == "none" {
		t.Error("the focus cannot be seen")
	}
	tab.Screenshot("rows-" + tab.Name())
	tab.Press(kb.Enter)
	tab.Await(".answer.good")
	p.mu.Lock()
	before := len(p.asked)
	p.mu.Unlock()
	browsertest.Eval[string](tab, `document.body.id = "before"`)
	tab.Press("r") // asks again, fresh
	tab.Await("body:not(#before) .answer.good")
	eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.asked) == before+1 && p.asked[before].MaxAgeMs != nil && *p.asked[before].MaxAgeMs == 0 && p.asked[before].UserEmail == "signed@example.com"
	})

	// Tab reaches every control, and the control is then visible.
	tab.Visit(url)
	seen := map[string]bool{}
	for range 14 {
		tab.Press(kb.Tab)
		seen[browsertest.Eval[string](tab, "document.activeElement.name || document.activeElement.className || document.activeElement.getAttribute('href') || document.activeElement.tagName")] = true
	}
	for _, want := range []string{"partner", "skip", "brand", "lang", "SUMMARY"} {
		if !seen[want] {
			t.Errorf("Tab does not reach %s, only %v", want, seen)
		}
	}
}

// Everything works without scripts, also while the gateway is slow.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url, _ := open(t, nil)
	for _, look := range []browsertest.Look{{NoScript: true}, browsertest.Look{NoScript: true, Lang: "zh-CN", Dark: true}.Phone()} {
		tab := b.Tab(t, look)
		tab.Visit(url)
		tab.Screenshot("noscript-lookup-" + tab.Name())
		lookUp(tab, url, "slow@example.com")
		tab.Screenshot("noscript-answer-" + tab.Name())
		tab.Click("[data-again]", ".answer.good")
		tab.Click(`button[value="zh-CN"]`, `html[lang="zh-CN"]`)
		tab.Check()
	}
}

func TestWhileTheGatewayIsSlow(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	for _, look := range []browsertest.Look{{}, browsertest.Look{Lang: "zh-CN", Dark: true}.Phone()} {
		url, p := open(t, nil)
		tab := b.Tab(t, look)
		tab.Visit(url)
		tab.Type(`input[name="account"]`, "held@example.com")
		tab.Click(".look-do", "[aria-busy=true].answer")
		tab.Accessible()
		tab.Screenshot("asking-" + tab.Name())
		close(p.released)
		tab.Await(".answer.good") // without a reload
		tab.Check()
	}
}

func TestHostileTextIsText(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url, _ := open(t, nil)
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(url + "/look-up/" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E")
	tab.Visit(url + "/?account=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
	if got := lookUp(tab, url, hostile); !strings.HasPrefix(got, "This is no e-mail") {
		t.Errorf("%q", got)
	}
	if got := browsertest.Eval[string](tab, `document.querySelector('[name=account]').value`); got != hostile {
		t.Errorf("the field has %q", got)
	}
	tab.Screenshot("hostile-typed-" + tab.Name())
	lookUp(tab, url, "hostile@example.com")
	tab.Click(".facts summary", ".facts dl")
	if !strings.Contains(tab.Text(".facts dl"), "<script>alert(1)</script>") {
		t.Error("the hostile text is not shown as what it is")
	}
	tab.Screenshot("hostile-facts-" + tab.Name())
	if n := browsertest.Eval[int](tab, `document.querySelectorAll("main script, main img").length`); n != 0 {
		t.Errorf("%d elements were made of text", n)
	}
}

func TestLanguageAndAppearanceStay(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url, _ := open(t, nil)
	tab := b.Tab(t, browsertest.Look{Zone: "Asia/Shanghai"})
	lookUp(tab, url, "signed@example.com")
	where := browsertest.Eval[string](tab, "location.pathname")
	tab.Click(`button[value="zh-CN"]`, `html[lang="zh-CN"]`)
	if got := browsertest.Eval[string](tab, "location.pathname"); got != where {
		t.Errorf("another language leads to %s", got)
	}
	tab.Click(".menu summary", ".menu-box")
	tab.Click(`button[value="dark"]`, `html[data-theme="dark"]`)
	if ground := browsertest.Eval[string](tab, "getComputedStyle(document.body).backgroundColor"); ground != "rgb(14, 16, 20)" {
		t.Errorf("dark is %s", ground)
	}
	tab.Click(".facts summary", ".facts dl")
	utc := browsertest.Eval[string](tab, `document.querySelector(".facts time").dateTime`)
	shown := tab.Text(".facts time")
	at, err := time.Parse(time.RFC3339, utc)
	if want := at.Add(8 * time.Hour).Format("2006-01-02 15:04:05"); err != nil || shown != want {
		t.Errorf("%s is shown as %s in Shanghai, want %s", utc, shown, want)
	}
	tab.Paper()
	tab.Screenshot("paper-" + tab.Name())
}
