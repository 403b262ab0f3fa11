// deploy/README.md names every field of the service statistics.

package worker_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"protocolq/worker"
)

func TestStatsPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "deploy", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## What to watch\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for field := range reflect.TypeFor[worker.Stats]().Fields() {
		name := field.Tag.Get("json")
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("deploy/README.md says nothing of %q under What to watch", name)
		}
	}
}
