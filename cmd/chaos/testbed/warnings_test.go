//go:build unix

package testbed

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWarnings(t *testing.T) {
	h := &Bed{Dir: t.TempDir()}
	for name, text := range map[string]string{
		"worker-1.1.log": `{"level":"INFO","msg":"worker ready"}
{"level":"WARN","msg":"in trouble","what":"event","err":"nats: timeout"}
panic: not JSON
{"level":"WARN","msg":"run ended","code":"CRASHED","email":"s***@c***.example"}
`,
		"worker-2.2.log":   `{"level":"WARN","msg":"in trouble","what":"event","err":"nats: timeout"}`,
		"recorder-1.log":   `{"level":"ERROR","msg":"rows not written","err":"disk full"}`,
		"simulator-1.log":  `{"level":"ERROR","msg":"is not looked at"}`,
		"worker-3.log.old": `{"level":"ERROR","msg":"is no log"}`,
		"asker-worker.log": `{"level":"ERROR","msg":"is not looked at"}`,
	} {
		if err := os.WriteFile(filepath.Join(h.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"     2 × worker: in trouble, event, nats: timeout", "     1 × recorder: rows not written, disk full",
		"     1 × worker: run ended, CRASHED"}
	if got := h.Warnings(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
