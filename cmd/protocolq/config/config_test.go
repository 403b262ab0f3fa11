// What config reports of the settings, and that it shows no secret.

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/config"
)

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	key, file := filepath.Join(dir, "a.key"), filepath.Join(dir, "settings.yaml")
	for path, text := range map[string]string{key: "0123456789abcdefghijklmnopqrstuv\n",
		file: "partner: '2088000000000001'\nkey_file: " + key + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"check", cli.ExitOK, "no fault"},
		{"check --slots 0", cli.ExitUsage, "slots: must be from 1 to"},
		{"check --slots 0 -o json", cli.ExitUsage, `"ok":false`},
		{"check --for recorder", cli.ExitUsage, "database: is needed"},
		{"check --for nobody", cli.ExitUsage, "must be worker or recorder"},
		{"show", cli.ExitOK, key},
		{"show -o json", cli.ExitOK, `"from":"` + file + `:2"`},
		{"show --slots 0", cli.ExitUsage, "slots"},
		{"show --nats nats://me:s3cret@127.0.0.1", cli.ExitUsage, "nats://me:xxxxx@127.0.0.1"},
	} {
		code, out, told := clitest.Run(t, config.Command(), append([]string{"config"}, append(strings.Fields(c.args), "--config", file)...)...)
		if all := out + told; code != c.code || !strings.Contains(all, c.want) || strings.Contains(all, "s3cret") || strings.Contains(all, "0123456789") {
			t.Errorf("%s: %d %s", c.args, code, all)
		}
	}
}
