// Numbers, spans and words as a person reads them.

package cli

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"protocolq/messages"
)

// Short writes a duration without its zero parts: 24h, not 24h0m0s.
func Short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// YesNo is "" if the value is not known.
func YesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}

// Millis is a span given in milliseconds.
func Millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// Roundly writes a duration as a person would say it.
func Roundly(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return Short(d.Round(time.Minute))
	case d >= time.Second:
		return Short(d.Round(time.Second))
	}
	return d.Round(time.Millisecond).String()
}

// Dash is s as a cell of a table, which cannot be empty or hold a tab.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return Printable(s)
}

// Grouped writes a number as people read it: 1,234,567.
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// SumsText lists sums, the largest first.
func SumsText(sums map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(sums), func(a, b string) int {
		if sums[a] != sums[b] {
			return int(max(-1, min(1, sums[b]-sums[a])))
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = Printable(name) + " " + Grouped(sums[name])
	}
	return strings.Join(parts, ", ")
}

// Micros writes microseconds, in whole milliseconds from 10 ms on.
func Micros(us int64) string {
	d := time.Duration(us) * time.Microsecond
	if d >= 10*time.Millisecond {
		return d.Round(time.Millisecond).String()
	}
	return d.String()
}

// Counted is a number with its noun: 1 query, 2 queries, 1,234 queries.
func Counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Grouped(n) + " " + many
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// ShellWord is s as one word of a shell's command line.
func ShellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Signature says in a table for people whether the signature of the gateway's answer was verified.
func Signature(verified string) string {
	if verified == messages.UnsignedAnswer {
		return "none" // "verified unsigned" says two things
	}
	return verified
}
