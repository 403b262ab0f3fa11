// deploy/README.md says of every place that holds personal data how long: as the program has it.

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

// retention is the table: how long each place keeps what it has.
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

// Every stream is in the table, with its age where the server deletes by age, and no other where
// it does not.
func TestRetentionOfStreams(t *testing.T) {
	rows := retention(t)
	names := defaultNames(t)
	if got := len(messages.Kinds()); got+1 != len(provision.Streams(provision.Options{Names: names})) { // and the page's
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

// Where a setting decides, its default is the table of settings'.
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
