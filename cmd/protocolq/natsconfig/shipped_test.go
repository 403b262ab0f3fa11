// The rights in deploy/nats are as the command writes them.

package natsconfig_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the shipped file anew")

// shipped holds the arguments that deploy/nats was written with.
var shipped = []string{"--partner", partner, "--asker", "refunds", "--asker", "deduction", "--listener", "accounting"}

func TestShippedFile(t *testing.T) {
	dir := t.TempDir()
	if out, err := typed(t, append(shipped, "--out", dir)...); err != nil {
		t.Fatal(err, out)
	}
	got, path := read(t, dir, "users.conf"), filepath.Join("..", "..", "..", "deploy", "nats", "users.conf")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, path), got); diff != "" {
		t.Errorf("-update writes it:\n%s", diff)
	}
}
