// Times as a person writes them.

package cli

import (
	"testing"
	"time"
)

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"": {}, "90m": now.Add(-90 * time.Minute), "7d": now.AddDate(0, 0, -7), "0s": now,
		"2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local), "2026-03-01T10:00:00Z": time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseWhen(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1h", "d", "-2d", "yesterday", "10:00", "99999d"} {
		if got, err := ParseWhen(text, now); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestMoment(t *testing.T) {
	if got := Moment(1_700_000_000_123, time.UTC); got != "2023-11-14 22:13:20 UTC" {
		t.Error(got)
	}
	if got := Moment(0, time.UTC); got != "" {
		t.Error(got)
	}
}
