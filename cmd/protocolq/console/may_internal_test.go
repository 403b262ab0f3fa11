// Which users may go on asking, and when that is not known.

package console

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/cmd/protocolq/console/access"
)

func TestMayAsk(t *testing.T) {
	if ok, err := mayAsk(nil, nil)("local", ""); !ok || err != nil {
		t.Errorf("without a file: %v %v", ok, err)
	}
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "users.yaml")
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // the file is read again after this time
		}
		write("users:\n- {name: li, role: agent}\n- {name: wang, role: viewer}\n- {name: zhao, role: agent, added: 2026-11-29T12:00:00.5Z}\n")
		users, err := access.OpenUsers(path)
		if err != nil {
			t.Fatal(err)
		}
		may := mayAsk(users, nil)
		for name, want := range map[string]bool{"li": true, "wang": false, "zhang": false, "zhao": false, "zhao 1795953600500": true, "zhao 1": false, "li 1795953600500": false} {
			if ok, err := may(name, ""); ok != want || err != nil {
				t.Errorf("%s may: %v, want %v, %v", name, ok, want, err)
			}
		}
		write("users: [")
		if ok, err := may("li", ""); ok || err == nil {
			t.Errorf("by a broken file: %v %v", ok, err)
		}
	})
}
