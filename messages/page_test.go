// The contract's page: every field, header, subject and reason of a dead letter is on it.

package messages_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"protocolq/messages"
)

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// section is the text of the page under a heading, up to the next one.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("README.md has no heading %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	return text
}

// rows are the names in the first column of a section's table.
func rows(text string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for i, name := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				names[name] = true
			}
		}
	}
	return names
}

func TestPageHasEveryField(t *testing.T) {
	page := readFile(t, "README.md")
	for heading, v := range map[string]any{"### Query": messages.Query{}, "### Result": messages.Result{}} {
		listed := rows(section(t, page, heading))
		kind := reflect.TypeOf(v)
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if !listed[name] {
				t.Errorf("README.md lacks the field %s of %s", name, kind.Name())
			}
			delete(listed, name)
		}
		for name := range listed {
			t.Errorf("README.md has a field %s, which no %s has", name, kind.Name())
		}
	}
}

var constant = regexp.MustCompile(`(?m)^\t(?:Header|Traceparent)\w* += "([^"]+)"`)

func TestPageHasEveryHeader(t *testing.T) {
	listed := rows(section(t, readFile(t, "README.md"), "## Headers"))
	found := constant.FindAllStringSubmatch(readFile(t, "headers.go"), -1)
	if len(found) < 15 {
		t.Errorf("only %d headers found in headers.go", len(found))
	}
	for _, m := range found {
		if !listed[m[1]] {
			t.Errorf("README.md lacks the header %s", m[1])
		}
	}
}

func TestPageHasEverySubject(t *testing.T) {
	page := section(t, readFile(t, "README.md"), "## Subjects")
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	subjects := []string{names.Query(), names.QueryOf("<partner>") + ".<asker>", names.SubmitOf("<partner>", "<asker>")}
	for _, kind := range messages.Kinds() {
		subjects = append(subjects, names.Captures(kind)...)
	}
	for _, subject := range subjects {
		if subject, _, _ = strings.Cut(subject, ".*"); !strings.Contains(page, strings.TrimSuffix(subject, ">")) {
			t.Errorf("README.md lacks the subject %s", subject)
		}
	}
	reasons := rows(section(t, readFile(t, "README.md"), "## Dead letters"))
	for _, reason := range []string{messages.DeadUnreadable, messages.DeadReplyRefused, messages.DeadReplyFull, messages.DeadPoison,
		messages.DeadExpired, messages.DeadCrashed, messages.DeadCorrupt} {
		if !reasons[reason] {
			t.Errorf("README.md lacks the dead letters %s", reason)
		}
	}
	for _, o := range messages.Outcomes() {
		if !rows(section(t, readFile(t, "README.md"), "### Outcomes"))[string(o)] {
			t.Errorf("README.md lacks the outcome %s", o)
		}
	}
}
