// Key files and pipes: each is read once.

package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// TestPipesAreNotReadAgain: a key from a pipe has no file that the gateway's client could read
// again.
func TestPipesAreNotReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(PracticeSet[0].Key), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{clitest.Pipe(t, PracticeSet[0].Key): "", file: file} {
		c := Config{Partner: PracticeSet[0].ID, SignType: "MD5", Charset: "utf-8", KeyFile: path}
		partners, err := c.LoadPartners()
		if err != nil || len(partners) != 1 || partners[0].KeyFile != want {
			t.Fatalf("%+v, %v", partners, err)
		}
		client, err := gateway.New(gateway.Options{Partners: partners})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Reload(); err != nil {
			t.Error(err)
		}
		client.Close()
		if source := c.sources.get(path, secretFile); source.Err != nil || len(source.Material) == 0 {
			t.Errorf("asked for twice: %v", source.Err)
		}
	}
}

// TestKeysAreReadOnce: a pipe is read once, however often its key is asked for, and an error is
// returned again.
func TestKeysAreReadOnce(t *testing.T) {
	var k keySources
	path := clitest.Pipe(t, PracticeSet[0].Key)
	for range 3 {
		if _, err := ParseKey(k.get(path, secretFile), mapi.MD5, mapi.ParseKey); err != nil {
			t.Error(err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none")
	for range 2 {
		if _, err := ParseKey(k.get(missing, secretFile), mapi.MD5, mapi.ParseKey); err == nil || !strings.Contains(err.Error(), "read key file: open ") {
			t.Error(err)
		}
	}
}
