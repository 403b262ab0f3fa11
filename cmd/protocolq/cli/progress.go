// A progress bar on a terminal.

package cli

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress is a bar on a terminal with the rate and the time left, and nothing elsewhere.
type Progress struct{ bar *progressbar.ProgressBar } // nil: no terminal

// NewProgress makes a bar on w for so many of the named things; 0 if their number is not known.
func NewProgress(w io.Writer, total int64, things string) *Progress {
	if !IsTerminal(w) {
		return &Progress{}
	}
	return &Progress{newBar(w, total, things)}
}

func newBar(w io.Writer, total int64, things string) *progressbar.ProgressBar {
	if total <= 0 {
		total = -1 // the library's word for it
	}
	return progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(things), progressbar.OptionUseANSICodes(true), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0)) // only Show draws it: it needs no goroutine
}

// Show draws the bar at n, ten times a second at most.
func (p *Progress) Show(n int64) {
	if p.bar != nil {
		_ = p.bar.Set64(n) // fails beyond the total, which may have grown, and where nobody looks
	}
}

// Clear removes the bar until it is shown again, so that something else can be written there.
func (p *Progress) Clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
