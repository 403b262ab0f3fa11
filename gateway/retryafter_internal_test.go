// Retry-After in every form that servers write.

package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	const most = 5 * time.Minute
	now := time.Date(2026, 11, 8, 10, 0, 0, 250_400_300, time.UTC)
	at := func(d time.Duration) time.Time { return now.Truncate(time.Second).Add(d) }
	date := func(d time.Duration) string { return at(d).Format(http.TimeFormat) }
	rfc850 := func(d time.Duration) string { return at(d).Format("Monday, 02-Jan-06 15:04:05 GMT") }
	asctime := func(d time.Duration) string { return at(d).Format(time.ANSIC) }
	for name, c := range map[string]struct {
		values []string
		date   string // of the response
		want   time.Duration
	}{
		"no header":             {nil, "", 0},
		"seconds":               {[]string{"120"}, "", 2 * time.Minute},
		"seconds beside a Date": {[]string{"120"}, date(time.Hour), 2 * time.Minute},
		"zero":                  {[]string{"0"}, "", 0},
		"leading zeros":         {[]string{"0007"}, "", 7 * time.Second},
		"spaces around":         {[]string{" \t9 "}, "", 9 * time.Second},
		"the ceiling":           {[]string{"300"}, "", most},
		"above the ceiling":     {[]string{"301"}, "", most},
		"a day":                 {[]string{"86400"}, "", most},
		"above a duration":      {[]string{"9223372037"}, "", most},
		"wraps a duration":      {[]string{"18446744074"}, "", most},
		"above 64 bits":         {[]string{"18446744073709551617"}, "", most},
		"a thousand digits":     {[]string{strings.Repeat("9", 1000)}, "", most},
		"a thousand zeros":      {[]string{strings.Repeat("0", 1000) + "3"}, "", 3 * time.Second},
		"negative":              {[]string{"-5"}, "", 0},
		"signed":                {[]string{"+5"}, "", 0},
		"a fraction":            {[]string{"1.5"}, "", 2 * time.Second},
		"a fraction of nothing": {[]string{"2.0"}, "", 2 * time.Second},
		"a small fraction":      {[]string{"0.001"}, "", time.Second},
		"half a fraction":       {[]string{"5."}, "", 0},
		"the other half":        {[]string{".5"}, "", 0},
		"a fraction at the end": {[]string{"299.9"}, "", most},
		"exponent":              {[]string{"1e3"}, "", 0},
		"hexadecimal":           {[]string{"0x10"}, "", 0},
		"underscore":            {[]string{"1_0"}, "", 0},
		"other digits":          {[]string{"１２"}, "", 0},
		"with a unit":           {[]string{"30s"}, "", 0},
		"empty":                 {[]string{""}, "", 0},
		"garbage":               {[]string{"\x00soon\xff"}, "", 0},
		"several":               {[]string{"3", "90", "7"}, "", 90 * time.Second},
		"several, one garbage":  {[]string{"soon", "8"}, "", 8 * time.Second},
		"several kinds":         {[]string{"3", date(time.Minute)}, date(0), time.Minute},

		"date":                        {[]string{date(40 * time.Second)}, date(0), 40 * time.Second},
		"date of RFC 850":             {[]string{rfc850(40 * time.Second)}, date(0), 40 * time.Second},
		"date of asctime":             {[]string{asctime(40 * time.Second)}, date(0), 40 * time.Second},
		"Date of asctime":             {[]string{date(40 * time.Second)}, asctime(0), 40 * time.Second},
		"date without a Date":         {[]string{date(40 * time.Second)}, "", 39750 * time.Millisecond},
		"date, the Date garbage":      {[]string{date(40 * time.Second)}, "today", 39750 * time.Millisecond},
		"date now":                    {[]string{date(0)}, date(0), 0},
		"date in the past":            {[]string{date(-time.Hour)}, date(0), 0},
		"past by our clock only":      {[]string{date(-time.Hour + 30*time.Second)}, date(-time.Hour), 30 * time.Second},
		"future by our clock only":    {[]string{date(time.Minute)}, date(time.Hour), 0},
		"a clock an hour ahead":       {[]string{date(time.Hour + 30*time.Second)}, date(time.Hour), 30 * time.Second},
		"a clock of another century":  {[]string{"Thu, 01 Jan 1970 00:00:20 GMT"}, "Thu, 01 Jan 1970 00:00:00 GMT", 20 * time.Second},
		"date above the ceiling":      {[]string{date(24 * time.Hour)}, date(0), most},
		"date at the end of time":     {[]string{"Fri, 31 Dec 9999 23:59:59 GMT"}, "Mon, 01 Jan 0001 00:00:00 GMT", most},
		"date before time":            {[]string{"Mon, 01 Jan 0001 00:00:00 GMT"}, "Fri, 31 Dec 9999 23:59:59 GMT", 0},
		"date that does not exist":    {[]string{"Sun, 30 Feb 2026 10:00:00 GMT"}, date(0), 0},
		"date with a zone of its own": {[]string{"Sun, 08 Nov 2026 10:00:40 +0800"}, date(0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Retry-After": c.values}
			if c.date != "" {
				h.Set("Date", c.date)
			}
			if got := retryAfter(h, now, most); got != c.want {
				t.Errorf("%q with Date %q: %v, want %v", c.values, c.date, got, c.want)
			}
		})
	}
}

func TestRetryAfterBelowACeilingWithAFraction(t *testing.T) {
	for value, want := range map[string]time.Duration{"0": 0, "1": time.Second, "1.0": time.Second, "1.1": 1500 * time.Millisecond, "2": 1500 * time.Millisecond} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, time.Now(), 1500*time.Millisecond); got != want {
			t.Errorf("%s: %v, want %v", value, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {"0"}}, time.Now(), 500*time.Millisecond); got != 0 {
		t.Errorf("0 below a ceiling of half a second: %v", got)
	}
}

// FuzzRetryAfter: the result is never negative, above the ceiling, or a fraction of a millisecond,
// whatever a server writes.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range [][2]string{{"120", ""}, {"-1", "x"}, {"99999999999999999999", ""}, {"1.5", ""},
		{"Sun, 08 Nov 2026 10:00:40 GMT", "Sun, 08 Nov 2026 10:00:00 GMT"}, {"Sunday, 08-Nov-26 10:00:40 GMT", "Sun Nov  8 10:00:00 2026"}} {
		f.Add(seed[0], seed[1], uint32(60_000))
	}
	f.Fuzz(func(t *testing.T, value, date string, most uint32) {
		ceiling := time.Duration(most) * time.Millisecond
		got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}, time.Now(), ceiling)
		if got < 0 || got > ceiling || got%time.Millisecond != 0 {
			t.Errorf("%q with Date %q and ceiling %v: %v", value, date, ceiling, got)
		}
	})
}
