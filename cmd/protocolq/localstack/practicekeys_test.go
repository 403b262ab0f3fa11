// The practice keys may be written again, and no other key is overwritten.

package localstack

import (
	"os"
	"path/filepath"
	"testing"

	"protocolq/cmd/protocolq/settings"
)

func TestWritePracticeKeys(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if err := WritePracticeKeys(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, settings.PracticeSet[0].ID+".key"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if WritePracticeKeys(dir) == nil {
		t.Error("another key was written over")
	}
}
