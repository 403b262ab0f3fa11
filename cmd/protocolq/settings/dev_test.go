//go:build unix

// The context of a running dev: it is found while dev holds it, noticed when it was left
// behind, and never written over the user's own.

package settings_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
)

const devAt = "nats://127.0.0.1:5222"

func openDev(t *testing.T) (*settings.DevContext, error) {
	t.Helper()
	d, err := settings.OpenDevContext([][2]string{{"nats", devAt}, {"log-hmac-key-file", "/data/log-hmac.key"}}, time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC))
	t.Cleanup(func() { _ = d.Close() })
	return d, err
}

// found returns the server that a person's command with these flags uses, and what it prints.
func found(t *testing.T, args ...string) (nats, said string) {
	t.Helper()
	cfg, out := &settings.Config{}, &bytes.Buffer{}
	set := settings.New(cfg, "nats", "prefix")
	c := &cobra.Command{Use: "any", RunE: func(c *cobra.Command, _ []string) error { return set.Load(c.Flags()) }}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	cli.AddYes(c, new(bool))
	c.SetArgs(args)
	c.SetErr(out)
	c.SilenceErrors, c.SilenceUsage = true, true
	if err := c.Execute(); err != nil {
		return "", out.String() + err.Error()
	}
	return strings.Join(cfg.NATS, ","), out.String()
}

const noDev = "nats://127.0.0.1:4222"

func TestDevIsFoundWhileItRuns(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	d, err := openDev(t)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config", "protocolq", "context", "dev.yaml")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if at, said := found(t); at != devAt || !strings.HasPrefix(said, "protocolq: using context dev, a running protocolq dev (pid ") || strings.Count(said, "\n") != 1 {
		t.Errorf("found at %s, and said %q", at, said)
	}
	if at, said := found(t, "--prefix", "protocol"); at != noDev || said != "" {
		t.Errorf("with a setting: at %s, and said %q", at, said)
	}
	if at, said := found(t, "--context", ""); at != noDev || said != "" {
		t.Errorf("with no context: at %s, and said %q", at, said)
	}
	if at, said := found(t, "--context", "dev", "--prefix", "other"); at != devAt || said != "" {
		t.Errorf("by its name: at %s, and said %q", at, said)
	}
	for _, yes := range []string{"--yes", "--yes=1"} { // a script may have forgotten to say which system
		if at, said := found(t, yes); at != noDev || said != "protocolq: context dev does not count, as --yes is given: --context dev says that it is meant\n" {
			t.Errorf("with %s: at %s, and said %q", yes, at, said)
		}
	}
	if at, _ := found(t, "--yes=false"); at != devAt {
		t.Errorf("with --yes=false: at %s", at)
	}
	if at, _ := found(t, "--yes", "--context", "dev"); at != devAt {
		t.Errorf("with --yes, by its name: at %s", at)
	}
	t.Setenv("PROTOCOLQ_DATABASE", "sqlite:///production.db") // not a setting of this command, but of another system
	if at, said := found(t); at != noDev || said != "" {
		t.Errorf("beside another command's variable: at %s, and said %q", at, said)
	}
	t.Setenv("PROTOCOLQ_DATABASE", "")
	t.Setenv("PROTOCOLQ_LOG_LEVEL", "debug") // says nothing about a system
	if at, _ := found(t); at != devAt {
		t.Errorf("with a log level: at %s", at)
	}
	if _, err := openDev(t); err == nil || !strings.Contains(err.Error(), "another protocolq dev (pid ") {
		t.Errorf("a second dev: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if at, said := found(t); at != noDev || said != "" {
		t.Errorf("after its end: at %s, and said %q", at, said)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDevThatWasKilled(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	d, err := openDev(t)
	if err != nil {
		t.Fatal(err)
	}
	path, err := settings.ContextPath("dev")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	leave := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}

	leave(string(text)) // no process holds it
	if at, said := found(t); at != noDev || !strings.HasPrefix(said, "protocolq: context dev does not count: it was left by a protocolq dev that runs no more (pid ") {
		t.Errorf("at %s, and said %q", at, said)
	}
	if _, said := found(t, "--context", "dev"); !strings.Contains(said, "context dev (--context): it was left by a protocolq dev that runs no more") {
		t.Errorf("by its name: %q", said)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	leave(strings.Replace(string(text), " on "+host+",", " on other."+host+",", 1))
	if at, said := found(t); at != noDev || said != "" {
		t.Errorf("another machine's: at %s, and said %q", at, said)
	}
	if _, said := found(t, "--context", "dev"); !strings.Contains(said, "on another machine (pid ") {
		t.Errorf("another machine's, by its name: %q", said)
	}
	if _, err := openDev(t); err == nil {
		t.Error("another machine's is written over")
	}
	leave(string(text))
	if d, err = openDev(t); err != nil {
		t.Fatalf("the next dev: %v", err)
	}
	if at, _ := found(t); at != devAt {
		t.Errorf("the next dev is not found: at %s", at)
	}

	own := filepath.Join(filepath.Dir(path), "own") // as an editor saves it: another file in its place
	if err := os.WriteFile(own, []byte("nats: nats://127.0.0.1:6222\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(own, path); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if at, said := found(t, "--context", "dev"); at != "nats://127.0.0.1:6222" {
		t.Errorf("the user's own, after the dev's end: at %s, %s", at, said)
	}
	if at, said := found(t); at != noDev || said != "" {
		t.Errorf("the user's own counts by itself: at %s, and said %q", at, said)
	}
	if _, err := openDev(t); err == nil || !strings.Contains(err.Error(), "that you made") {
		t.Errorf("the user's own is written over: %v", err)
	}
}
