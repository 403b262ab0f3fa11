// The contract's page has the fields of an event, and no others.

package outbox_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"protocolq/messages"
)

func TestPageHasEveryFieldOfAnEvent(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "messages", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "\n## Events\n")
	text, _, _ = strings.Cut(text, "\n## ")
	kind := reflect.TypeFor[messages.Event]()
	listed := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for i, name := range strings.Split(cells[1], "`") {
				listed[name] = listed[name] || i%2 == 1
			}
		}
	}
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if !listed[name] {
			t.Errorf("messages/README.md lacks the field %s of an event", name)
		}
	}
}
