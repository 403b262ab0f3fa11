// The progress bar.

package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for total, want := range map[int64][]string{
			2000: {" 50% |", "1000/2000", "111 lines/s", "[9s:9s]"}, // time elapsed, and time left
			0:    {"1000/-", "111 lines/s", "[9s]"},
		} {
			var out bytes.Buffer
			p := Progress{newBar(&out, total, "lines")}
			for n := range int64(10) {
				p.Show((n + 1) * 100)
				time.Sleep(time.Second)
			}
			drawn := out.String()[strings.LastIndexByte(strings.TrimRight(out.String(), "\r"), '\r'):]
			for _, word := range want {
				if !strings.Contains(drawn, word) {
					t.Errorf("of %d: %q is not in %q", total, word, drawn)
				}
			}
			p.Show(3000)
			if p.Clear(); !strings.HasSuffix(out.String(), "\x1b[2K\r") {
				t.Errorf("of %d: still there: %q", total, out.String())
			}
		}
	})
	if NewProgress(&bytes.Buffer{}, 1, "lines").bar != nil {
		t.Error("a bar where there is no terminal")
	}
}
