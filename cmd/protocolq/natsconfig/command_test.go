// The command as it is typed, and what it refuses.

package natsconfig_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/cmd/protocolq/natsconfig"
)

func typed(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c, out := natsconfig.Command(), &bytes.Buffer{}
	c.SetArgs(args)
	c.SetOut(out)
	c.SetErr(out)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A user that is added later changes no other user's key. A file that the command did not write
// is not overwritten.
func TestWrittenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if out, err := typed(t, "--partner", partner, "--asker", "refunds", "--out", dir); err != nil || !strings.Contains(out, "provision --partner "+partner+" --asker refunds") {
		t.Fatal(err, out)
	}
	seed, keys := read(t, dir, "OPS.nk"), read(t, dir, "keys.conf")
	if info, err := os.Stat(filepath.Join(dir, "OPS.nk")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if strings.Contains(keys+read(t, dir, "users.conf"), strings.TrimSpace(seed)) {
		t.Error("a seed stands in a file of the server")
	}
	out, err := typed(t, "--partner", partner, "--asker", "refunds", "--asker", "deduction", "--events", "--prefix", "acme.test", "--out", dir)
	if err != nil || read(t, dir, "OPS.nk") != seed || !strings.HasPrefix(read(t, dir, "keys.conf"), keys) {
		t.Errorf("%v: %s", err, read(t, dir, "keys.conf"))
	}
	if n, kept := strings.Count(out, " new\n"), strings.Count(out, " kept\n"); n != 1 || kept != 8 || !strings.Contains(read(t, dir, "users.conf"), `"acme.test.query.`+partner+`.deduction"`) {
		t.Errorf("%d seeds are new:\n%s", n, out)
	}
	o, err := server.ProcessConfigFile(filepath.Join(dir, "users.conf"))
	if err != nil || len(o.Accounts) != 8 || len(o.Nkeys) != 9 {
		t.Errorf("%+v, %v", o.Accounts, err)
	}
	for file, text := range map[string]string{"users.conf": "accounts {}\n", "OPS.nk": "no seed"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := typed(t, "--partner", partner, "--out", dir); err == nil || !strings.Contains(err.Error(), file) || read(t, dir, file) != text {
			t.Errorf("%s was written over: %v", file, err)
		}
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNamesAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"":                                       "--partner is needed",
		"--partner a.b":                          "--partner",
		"--partner p --asker a.b":                `"a.b"`,
		"--partner p --asker >":                  `">"`,
		"--partner p --asker a --listener A":     "twice",
		"--partner p --asker wk":                 "fleet's own",
		"--partner p --asker Console":            "name \"Console\" is the fleet's own; give another",
		"--partner p --http console":             "fleet's own",
		"--partner p --listener console":         "fleet's own",
		"--partner p --prefix a..b":              "--prefix",
		"--partner p --account x}":               "--account",
		"--partner p x":                          "unknown command",
		"--partner p --asker $SYS --asker a\x00": "$SYS",
	} {
		dir := t.TempDir()
		if _, err := typed(t, append(strings.Fields(args), "--out", dir)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%q: wrote %v, %v", args, left, err)
		}
	}
}
