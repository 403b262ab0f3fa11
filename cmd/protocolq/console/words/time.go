// Lengths of time in words.

package words

import (
	"fmt"
	"time"
)

// Roughly gives a length of time in its largest unit: "3 s", "12 分钟".
func Roughly(l Lang, d time.Duration) string {
	n, unit := roundly(max(d, 0))
	return Say(l, "time."+unit, n)
}

// Precisely gives a length of time with three digits, in units that both languages write alike.
func Precisely(d time.Duration) string {
	switch d = max(d, 0); {
	case d == 0:
		return "0 ms"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func roundly(d time.Duration) (n int64, unit string) {
	switch {
	case d < time.Second:
		return d.Milliseconds(), "ms"
	case d < 2*time.Minute:
		return int64(d.Round(time.Second) / time.Second), "s"
	case d < 2*time.Hour:
		return int64(d / time.Minute), "min"
	case d < 48*time.Hour:
		return int64(d / time.Hour), "h"
	}
	return int64(d / (24 * time.Hour)), "d"
}

// Ago says how long ago something was.
func Ago(l Lang, d time.Duration) string {
	if d < time.Second {
		return Say(l, "time.now")
	}
	return Say(l, "time.ago", Roughly(l, d))
}
