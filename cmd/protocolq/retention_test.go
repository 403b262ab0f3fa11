// deploy/README.md says how long every place that holds personal data keeps it, and the program
// does the same.

package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/worker/provision"
)

var retentionRow = regexp.MustCompile("(?m)^\\| `?([^|`]+)`? \\| ([^|]+) \\| ([^|]+) \\| [^|]+ \\|$")

// retention returns the table of how long each place keeps its data.
func retention(t *testing.T) map[string]string {
	t.Helper()
	_, section, found := strings.Cut(readPage(t, "deploy/README.md"), "\n## Personal data\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]string{}
	for _, m := range retentionRow.FindAllStringSubmatch(section, -1) {
		rows[m[1]] = m[3]
	}
	if !found || len(rows) < 8 {
		t.Fatalf("deploy/README.md has no table of personal data: %v", rows)
	}
	return rows
}

// Every stream is in the table. Its row names the stream's age where the server deletes by age,
// and no age where it does not.
func TestRetentionOfStreams(t *testing.T) {
	rows := retention(t)
	names := defaultNames(t)
	if got := len(messages.Kinds()); got+1 != len(provision.Streams(provision.Options{Names: names})) { // and the console's
		t.Fatalf("%d kinds of streams", got)
	}
	age := regexp.MustCompile(`^(\d+) days?\b`)
	for _, s := range provision.Streams(provision.Options{Names: names}) {
		kept, ok := rows[s.Name]
		want := ""
		if s.MaxAge > 0 {
			want = fmt.Sprint(int(s.MaxAge / (24 * time.Hour)))
		}
		if got := append(age.FindStringSubmatch(kept), "", "")[1]; !ok || got != want {
			t.Errorf("%s is kept for %q days, and the page says %q", s.Name, want, kept)
		}
	}
}

// Where a setting decides, the default in the row is the one in the table of settings.
func TestRetentionBySettings(t *testing.T) {
	page := readPage(t, "deploy/README.md")
	found := 0
	for place, kept := range retention(t) {
		for _, m := range regexp.MustCompile("`([a-z-]+)` \\(([0-9a-z]+)\\)").FindAllStringSubmatch(kept, -1) {
			found++
			if !strings.Contains(page, "\n| `--"+m[1]+"` |") || !regexp.MustCompile("\\| `--"+m[1]+"` \\|[^|]*\\|[^|]*\\| `"+m[2]+"` \\|").MatchString(page) {
				t.Errorf("%s: the setting %s is not %s", place, m[1], m[2])
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d settings found", found)
	}
}
