// A tab of one reader, with its own language, size and cookies.

package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Look is how the page appears to a reader. The zero value of a field is its default.
type Look struct {
	Lang          string // "en"; or "zh-CN"
	Dark          bool
	Width, Height int64 // 1200 by 800
	NoScript      bool
	Zone          string // "UTC"
}

// Phone is a small screen.
func (l Look) Phone() Look { l.Width, l.Height = 375, 720; return l }

// Name is the look's part of a picture's name.
func (tab *Tab) Name() string {
	name := tab.look.Lang
	if tab.look.Dark {
		name += "-dark"
	}
	if tab.look.Width < 600 {
		name += "-phone"
	}
	return name
}

// Tab is the tab of one reader.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	look Look

	mu     sync.Mutex // guards faults
	faults []string
}

// Tab opens a tab. Any fault that its browser reports fails the test at its end.
func (b *Browser) Tab(t testing.TB, look Look) *Tab {
	t.Helper()
	if look.Lang == "" {
		look.Lang = "en"
	}
	if look.Width == 0 {
		look.Width, look.Height = 1200, 800
	}
	if look.Zone == "" {
		look.Zone = "UTC"
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, patience)
	t.Cleanup(stop)
	tab := &Tab{t: t, ctx: ctx, look: look}
	t.Cleanup(tab.judge)
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	if err := chromedp.Listen(ctx, tab.listen); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	set(tab, network.Enable, network.EnableParams{})
	set(tab, log.Enable, cdp.Empty{})
	set(tab, network.SetExtraHTTPHeaders,
		network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": look.Lang}})
	set(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: look.Width,
		Height: look.Height, DeviceScaleFactor: 1, Mobile: look.Width < 600})
	set(tab, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme",
			Value: scheme}}})
	set(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: look.Zone})
	set(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: look.NoScript})
	return tab
}

// listen keeps the faults that the browser reports. A response with an error status is not a fault:
// tests ask for such responses.
func (tab *Tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tab.fault("script: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning ||
			e.Type == runtime.ConsoleAPICalledTypeAssert {
			tab.fault("console: " + string(e.Type))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError &&
			!strings.Contains(e.Entry.Text, "the server responded with a status of") {
			tab.fault(string(e.Entry.Source) + ": " + e.Entry.Text)
		}
	case *page.EventJavascriptDialogOpening:
		tab.fault("dialog: " + e.Message)
	}
}

func (tab *Tab) fault(text string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.faults = append(tab.faults, text)
}

func (tab *Tab) judge() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, f := range tab.faults {
		tab.t.Errorf("the browser reports: %s", f)
	}
}

// set runs one command in the tab.
func set[P any](tab *Tab, command cdp.Command[P, cdp.Empty], params P) {
	tab.t.Helper()
	if _, err := chromedp.Call(tab.ctx, command, params); err != nil {
		tab.t.Fatalf("%s: %v", command.Method, err)
	}
}

// replaced reports whether an action found no end because the page was replaced meanwhile. The new
// page may have what was looked for, too.
func replaced(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"Cannot find context with specified id",
		"No node with given id found", "Could not find node with given id", "does not belong to the document",
		"Execution context was destroyed", "Inspected target navigated"},
		func(words string) bool { return strings.Contains(err.Error(), words) })
}

// lookTime is how long one look for an element may take before another: a look at a page that is
// replaced meanwhile may never end.
const lookTime = 5 * time.Second

// look returns the result of an action that changes nothing. It looks again at a page that has
// replaced the one before, until patience ends.
func look[T any](tab *Tab, action chromedp.Action[T]) T {
	tab.t.Helper()
	for {
		ctx, cancel := context.WithTimeout(tab.ctx, lookTime)
		v, err := chromedp.Run(ctx, action)
		late := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			return v
		case tab.ctx.Err() != nil || !late && !replaced(err):
			tab.t.Fatalf("in the browser at %s: %v", tab.at(), err)
		}
	}
}

// Run runs actions in the tab.
func (tab *Tab) Run(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, actions...); err != nil {
		tab.t.Fatalf("in the browser at %s: %v", tab.at(), err)
	}
}

// get returns the result of one action.
func get[T any](tab *Tab, action chromedp.Action[T]) T {
	tab.t.Helper()
	v, err := chromedp.Run(tab.ctx, action)
	if err != nil {
		tab.t.Fatalf("in the browser at %s: %v", tab.at(), err)
	}
	return v
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	return get(tab, chromedp.Evaluate[T](expression))
}

// evalAwaited returns the value of a JavaScript promise.
func evalAwaited(tab *Tab, expression string) string {
	tab.t.Helper()
	return get(tab, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
}

// at is the tab's address, for messages.
func (tab *Tab) at() string {
	where, err := chromedp.Run(tab.ctx, chromedp.Location())
	if err != nil {
		return "?"
	}
	return where
}

// Visit opens an address and checks what holds for every page: the reader's language, and no
// missing text.
func (tab *Tab) Visit(url string) {
	tab.t.Helper()
	tab.Run(chromedp.Navigate(url))
	tab.Check()
}

// Check checks the page that is shown now.
func (tab *Tab) Check() {
	tab.t.Helper()
	if html := tab.HTML(); strings.Contains(html, "⟦") {
		i := strings.Index(html, "⟦")
		tab.t.Errorf("%s: a text is missing: %.60s", tab.at(), html[i:])
	}
	if tab.look.NoScript {
		return
	}
	const tooWide = `document.documentElement.scrollWidth > document.documentElement.clientWidth`
	if look(tab, chromedp.Evaluate[bool](tooWide)) {
		tab.t.Errorf("%s at %d px: the page scrolls sideways", tab.at(), tab.look.Width)
	}
}

// HTML is the page as the browser has it.
func (tab *Tab) HTML() string {
	tab.t.Helper()
	return look(tab, chromedp.OuterHTML(chromedp.CSS("html")))
}

// Text is the visible text of the first element that matches the CSS selector. Text waits for that
// element.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	return strings.TrimSpace(look(tab, chromedp.Text(chromedp.CSS(selector))))
}

// Await waits until a visible element matches the CSS selector.
func (tab *Tab) Await(selector string) {
	tab.t.Helper()
	look(tab, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// Press types keys outside any field, as a keyboard does: the first event says which key it is, so
// that a page can keep the key from being typed.
func (tab *Tab) Press(keys string) {
	tab.t.Helper()
	for _, key := range keys {
		for _, event := range kb.Encode(key) {
			switch event.Type {
			case kb.KeyChar:
				continue
			case kb.KeyDown:
				if unicode.IsPrint(key) {
					event.Text = string(key)
				} else if key == '\r' {
					event.Text = "\r"
				}
			}
			set(tab, input.DispatchKeyEvent, *event)
		}
	}
}

// Type fills a field.
func (tab *Tab) Type(selector, text string) {
	tab.t.Helper()
	tab.Run(chromedp.Clear(chromedp.CSS(selector)), chromedp.Focus(chromedp.CSS(selector), chromedp.NodeVisible))
	set(tab, input.InsertText, input.InsertTextParams{Text: text})
}

// Click clicks, and waits until then matches an element of the page that follows.
func (tab *Tab) Click(selector, then string) {
	tab.t.Helper()
	tab.Run(chromedp.Click(chromedp.CSS(selector)))
	if then != "" {
		tab.Await(then)
	}
}

// SignIn signs in by the form.
func (tab *Tab) SignIn(url, name, password string) {
	tab.t.Helper()
	tab.Visit(url + "/sign-in")
	tab.Type(`input[name="name"]`, name)
	tab.Type(`input[name="password"]`, password)
	tab.Click(`main button.primary`, `.nav, .fault, .look`)
	tab.Check()
}

// Screenshot checks the page, and writes a picture of the whole page into the directory that
// PROTOCOLQ_SCREENSHOTS names. Without that variable it takes no picture.
func (tab *Tab) Screenshot(name string) {
	tab.t.Helper()
	tab.Check()
	dir := os.Getenv("PROTOCOLQ_SCREENSHOTS")
	if dir == "" {
		return
	}
	png := get(tab, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		tab.t.Fatal(err)
	}
}

// Paper shows the page as it is printed.
func (tab *Tab) Paper() {
	tab.t.Helper()
	set(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
}
