// A real Chromium for the tests of the page.

// Package browsertest drives a real Chromium through the console. A test fails when the browser's
// own console reports anything, when the page's policy is violated, or when a text is missing.
package browsertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Names are the programs that are looked for, in this order.
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

// patience bounds everything that a test does in one tab.
const patience = 2 * time.Minute

// Start starts a Chromium for the time of a test. Where there is none the test is skipped, and
// fails where CI is set: there it must not go unseen.
func Start(t testing.TB) *Browser {
	t.Helper()
	path, err := program()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("lang", "en"),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.WSURLReadTimeout(patience), // a machine that tests much else at once is slow to start it
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses to run as root with one
	}
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return &Browser{ctx: ctx}
}
