// The question before an action that cannot be undone.

package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

func TestAskYes(t *testing.T) {
	for answer, yes := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yep\n": false} {
		var out bytes.Buffer
		if err := askYes(t.Context(), strings.NewReader(answer), &out, "Delete it?"); (err == nil) != yes || out.String() != "Delete it? [y/N] " {
			t.Errorf("%q: %v after %q", answer, err, out.String())
		}
	}
	silent, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	defer other.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := askYes(ctx, silent, &bytes.Buffer{}, "Delete it?"); err == nil {
		t.Error("a signal is taken for a yes")
	}
}
