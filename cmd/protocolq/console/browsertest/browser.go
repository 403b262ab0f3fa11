// A real Chromium for the tests of the page.

// Package browsertest drives a real Chromium through the console. A test fails when the browser's
// own console reports anything, when the page's policy is violated, or when a text is missing.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Names are the program names to look for, in this order.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

var errNone = errors.New("no Chromium: install chromium, or set PROTOCOLQ_TEST_CHROMIUM to its program")

func program() (string, error) {
	if path := os.Getenv("PROTOCOLQ_TEST_CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNone
}

// Browser is one Chromium; its tabs share no cookies.
type Browser struct {
	ctx context.Context
}

// patience bounds each step that a test does in a tab. A busy machine is slow to start a browser,
// and to show a page.
const patience = 5 * time.Minute

// shared is the Chromium of this program's tests. It stays while a test uses it, because starting a
// browser takes as long as a test.
var shared struct {
	mu      sync.Mutex // guards the rest
	users   int
	browser *Browser
	stop    func()
}

// Start returns the Chromium that all tests share, and starts it for the first of them. If there is
// no Chromium the test is skipped; if CI is set the test fails, so that the lack is noticed.
func Start(t testing.TB) *Browser {
	t.Helper()
	path, err := program()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.users == 0 {
		if shared.browser, shared.stop, err = start(path); err != nil {
			t.Fatalf("start %s: %v", path, err)
		}
	}
	shared.users++
	t.Cleanup(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.users--; shared.users == 0 {
			shared.stop()
		}
	})
	return shared.browser
}

// start starts a Chromium with an empty profile.
func start(path string) (*Browser, func(), error) {
	profile, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		return nil, nil, fmt.Errorf("make its profile: %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.Flag("lang", "en"),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.WSURLReadTimeout(patience),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // with a sandbox it refuses to run as root
	}
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	stop := func() {
		cancel()
		end()
		_ = os.RemoveAll(profile)
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return &Browser{ctx: ctx}, stop, nil
}
