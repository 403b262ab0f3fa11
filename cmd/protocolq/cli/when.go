// Times as a person gives them (how long ago, a day, a time) and reads them, with date and zone.

package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseWhen reads a time: how long ago, a day (in this machine's zone) or an instant. "" is the
// zero time.
func ParseWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	days, isDays := strings.CutSuffix(text, "d")
	if n, err := strconv.Atoi(days); isDays && err == nil && 0 <= n && n < 36500 {
		return now.AddDate(0, 0, -n), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("must be a time such as 90m, 7d, 2006-01-02 or 2006-01-02T15:04:05Z, not %q", text)
}

// Moment writes a time in zone for a table, "" for none.
func Moment(unixMs int64, zone *time.Location) string {
	if unixMs == 0 {
		return ""
	}
	return time.UnixMilli(unixMs).In(zone).Format("2006-01-02 15:04:05 MST")
}
