// The bar of the chart.

package logdb

import (
	"strings"
	"testing"
)

func TestBar(t *testing.T) {
	for _, c := range []struct {
		called, asked, most int64
		want                string
	}{{0, 0, 10, ""}, {10, 10, 10, strings.Repeat("█", 30)}, {1, 1000, 1000, "█" + strings.Repeat("░", 29)}, {5, 10, 20, strings.Repeat("█", 8) + strings.Repeat("░", 7)}} {
		if got := bar(c.called, c.asked, c.most); got != c.want {
			t.Errorf("%d of %d: %s", c.called, c.asked, got)
		}
	}
}
