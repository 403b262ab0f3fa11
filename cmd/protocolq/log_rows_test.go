// What a spreadsheet, a terminal and a reader of numbers are given.
package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"protocolq/worker/querylog/database"
)

func TestCSVComputesNothing(t *testing.T) {
	var out bytes.Buffer
	p, err := newCSV(&out, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@x": "'@x", " =1": "' =1", "\t=1": `\t=1`, "\r\n=1": `\r\n=1`, "＝1": "'＝1", "　@x": "'　@x",
		"booking-1": "booking-1", "a,b": `"a,b"`, `a"b`: `"a""b"`, "12": "12", "\x1b[31m": `\x1b[31m`, "张三": "张三",
	} {
		out.Reset()
		if err := p.row([]string{cell}); err != nil {
			t.Fatal(err)
		}
		if err := p.flush(); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimPrefix(strings.TrimSuffix(out.String(), "\n"), "a\n"); got != want {
			t.Errorf("%q is written as %s, want %s", cell, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written as %s, want %s", n, got, want)
		}
	}
}

func TestProgress(t *testing.T) {
	p := progress{total: 2000}
	for n, want := range map[int64]string{0: "  0%  0 of 2,000", 1000: " 50%  1,000 of 2,000", 3000: "100%  3,000 of 2,000"} {
		if got := p.text(n); !strings.HasSuffix(got, want) || strings.Count(got, "█")+strings.Count(got, "░") != progressWidth {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := (&progress{}).text(5000); got != "5,000 asks" {
		t.Errorf("of an unknown number: %s", got)
	}
	if newProgress(&bytes.Buffer{}, 1).on {
		t.Error("a bar where there is no terminal")
	}
}

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

// The sums begin before what was said and end after it, and say so.
func TestWholeHours(t *testing.T) {
	at := func(clock string) time.Time {
		if clock == "" {
			return time.Time{}
		}
		moment, err := time.Parse("2006-01-02 15:04", "2026-11-25 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	kolkata := time.FixedZone("", 5*3600+1800)
	for _, c := range []struct {
		since, until string
		zone         *time.Location
		want         string
	}{
		{"14:40", "", time.UTC, "since 2026-11-25 14:00, by whole hours"},
		{"14:00", "15:00", time.UTC, "since 2026-11-25 14:00 until 2026-11-25 15:00, by whole hours"},
		{"14:01", "23:01", time.UTC, "since 2026-11-25 14:00 until 2026-11-26 00:00, by whole hours"},
		{"14:40", "", kolkata, "since 2026-11-25 19:30, by whole hours"},
	} {
		if got := wholeHours(at(c.since), at(c.until), c.zone); got != c.want {
			t.Errorf("from %s to %s: %s, want %s", c.since, c.until, got, c.want)
		}
	}
}

// The timeline shows a stranger's text and obeys none of it.
func TestTimelineIsPrintable(t *testing.T) {
	var out bytes.Buffer
	s := database.Story{Asks: []database.Ask{{AtMs: time.Now().UnixMilli(), ID: "\x1b[2J\u202eevil\r", Door: "query", Subject: "a\nb", Outcome: "signed"}}}
	if err := tellStory(&out, &s); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\u202e\r") || strings.Contains(text, "a\nb") || !strings.Contains(text, "evil") {
		t.Errorf("%q", text)
	}
}
