// How sums and timelines are shown in a terminal.

package querylog

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"protocolq/worker/querylog/database"
)

// The sums are by whole hours, and say so. They begin no later than was asked for, and end no
// earlier.
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
	kolkata := time.FixedZone("IST", 5*3600+1800)
	for _, c := range []struct {
		since, until string
		zone         *time.Location
		want         string
	}{
		{"14:40", "", time.UTC, "since 2026-11-25 14:00 UTC, by whole hours"},
		{"14:00", "15:00", time.UTC, "since 2026-11-25 14:00 UTC until 2026-11-25 15:00 UTC, by whole hours"},
		{"14:01", "23:01", time.UTC, "since 2026-11-25 14:00 UTC until 2026-11-26 00:00 UTC, by whole hours"},
		{"14:40", "", kolkata, "since 2026-11-25 19:30 IST, by whole hours"},
	} {
		if got := wholeHours(at(c.since), at(c.until), c.zone); got != c.want {
			t.Errorf("from %s to %s: %s, want %s", c.since, c.until, got, c.want)
		}
	}
}

// An asker that received DEADLINE while a run was under way is listed with that run, and
// with what it received.
func TestTimelineOfWhoLeft(t *testing.T) {
	var b bytes.Buffer
	s := &database.Story{Run: &database.Run{ID: "RUN", AtMs: 1_000, TookMs: 9_000, Outcome: "signed"}, Asks: []database.Ask{
		{ID: "stayed", AtMs: 1_000, TookMs: 9_010, Run: "RUN", Door: "query", Outcome: "signed", Source: "asked", Reply: "_INBOX"},
		{ID: "left", AtMs: 2_000, TookMs: 2_000, Run: "RUN", Door: "query", Outcome: "unknown", Code: "DEADLINE", Reply: "_INBOX"}}}
	if err := tellStory(&b, s, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+1s  asked: left by query", "+3s  reply: left unknown DEADLINE on _INBOX.…", "+9.01s  reply: stayed signed (asked)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// The timeline shows text from outside, but not its control characters.
func TestTimelineIsPrintable(t *testing.T) {
	var out bytes.Buffer
	s := database.Story{Asks: []database.Ask{{AtMs: time.Now().UnixMilli(), ID: "\x1b[2J\u202eevil\r", Door: "query", Subject: "a\nb", Outcome: "signed"}}}
	if err := tellStory(&out, &s, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\u202e\r") || strings.Contains(text, "a\nb") || !strings.Contains(text, "evil") {
		t.Errorf("%q", text)
	}
}

// Events within one millisecond are shown in their natural order: asked, called, replied.
func TestStoryWithinAMillisecond(t *testing.T) {
	s := database.Story{Run: &database.Run{ID: "r", AtMs: 1000, Outcome: "signed", Calls: []database.Call{{AtMs: 1000, TotalUs: 300}}},
		Asks: []database.Ask{{ID: "a", Door: "query", AtMs: 1000, Outcome: "signed"}, {ID: "b", Door: "query", AtMs: 1000, Outcome: "signed"}}}
	var out strings.Builder
	if err := tellStory(&out, &s, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(out.String(), "\n") {
		if _, what, is := strings.Cut(line, "+0s  "); is {
			got = append(got, strings.Join(strings.Fields(what)[:2], " "))
		}
	}
	want := []string{"asked: a", "asked: b", "run begun", "call 1:", "answer stored:", "reply: a", "reply: b"}
	if !slices.Equal(got, want) {
		t.Errorf("shown as %q, want %q", got, want)
	}
}
