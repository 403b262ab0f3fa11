// A saved context is complete, and only this user can read it.

package contexts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/contexts"
	"protocolq/cmd/protocolq/settings"
)

func TestKeptForThisUserAlone(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	if code, _, said := clitest.Run(t, contexts.Command(), "context", "add", "shop", "--partner", "2088000000000001", "--reply-allow", "a.,b.", "--reply-allow", "c."); code != cli.ExitOK {
		t.Fatalf("exit %d: %s", code, said)
	}
	if code, _, said := clitest.Run(t, contexts.Command(), "context", "select", "shop"); code != cli.ExitOK {
		t.Fatalf("exit %d: %s", code, said)
	}
	files := 0
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == dir {
			return err
		}
		want := map[bool]os.FileMode{true: 0o700, false: 0o600}[info.IsDir()]
		if info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %v", path, info.Mode(), want)
		}
		if !info.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files != 2 {
		t.Errorf("%d files, %v", files, err)
	}
	values, err := settings.ContextValues("shop")
	if err != nil || len(values) != 2 || values[0].Value != "2088000000000001" || values[1].Value != "a.,b.,c." {
		t.Errorf("kept %+v, %v", values, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "protocolq", "context", "shop.yaml"))
	if err != nil || !strings.Contains(string(text), `partner: "2088000000000001"`) { // quoted, as an editor should keep it
		t.Errorf("%s, %v", text, err)
	}
}

func TestOneContextOrNone(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, args := range [][]string{{"select"}, {"select", "--none", "shop"}, {"select", "shop"}, {"show"}, {"show", "shop"}, {"remove", "shop"}, {"remove", "-x"}} {
		if code, _, said := clitest.Run(t, contexts.Command(), append([]string{"context"}, args...)...); code != cli.ExitUsage || said == "" {
			t.Errorf("%v: exit %d, %s", args, code, said)
		}
	}
	if code, _, said := clitest.Run(t, contexts.Command(), "context", "select", "--none"); code != cli.ExitOK || said != "" {
		t.Errorf("none where none is: exit %d, %s", code, said)
	}
}

// A service without a home directory has selected no context, and starts.
func TestNoHome(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", "")
	for _, home := range []string{"", "/dev/null", "/nonexistent"} {
		t.Setenv("HOME", home)
		if name, err := settings.SelectedContext(); name != "" || err != nil {
			t.Errorf("home %q: %q, %v", home, name, err)
		}
	}
}
