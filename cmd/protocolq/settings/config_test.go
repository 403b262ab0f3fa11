// The settings: where a value comes from, how faults are reported, and that the documentation
// matches the table.

package settings

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
)

// load resolves all settings from a command line and a file, with the environment of the test.
func load(t *testing.T, file string, args ...string) (*Config, *Set, error) {
	t.Helper()
	c := &Config{}
	s := New(c)
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s.AddFlags(fs)
	if file != "" {
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c, s, s.Load(fs)
}

func TestPrecedence(t *testing.T) {
	const file = "lease: 20s\nslots: 20\nattempts: 2\nnats: [nats://a:1, nats://b:2]\nunsafe_gateway: true\n"
	t.Setenv("PROTOCOLQ_SLOTS", "30")
	t.Setenv("PROTOCOLQ_ATTEMPTS", "3")
	t.Setenv("PROTOCOLQ_WINDOW", "") // an empty variable counts as unset
	c, s, err := load(t, file, "--attempts", "4")
	if err != nil {
		t.Fatal(err)
	}
	if c.Window != 24*time.Hour || c.Lease != 20*time.Second || c.Slots != 30 || c.Attempts != 4 || !c.UnsafeGateway {
		t.Errorf("window %s, lease %s, slots %d, attempts %d, unsafe %t; want default, file, variable, flag, file",
			c.Window, c.Lease, c.Slots, c.Attempts, c.UnsafeGateway)
	}
	if diff := cmp.Diff([]string{"nats://a:1", "nats://b:2"}, c.NATS); diff != "" {
		t.Errorf("nats (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"window": "", "slots": "PROTOCOLQ_SLOTS", "attempts": "--attempts"} {
		if s.from[name] != want {
			t.Errorf("%s comes from %q, want %q", name, s.from[name], want)
		}
	}
	if !strings.HasSuffix(s.from["lease"], "settings.yaml:1") {
		t.Errorf("lease comes from %q, want the file's line 1", s.from["lease"])
	}
}

// fieldsOf returns the fields that settings set: those of Config, and of the groups in it.
func fieldsOf(c *Config) (all []reflect.Value) {
	for f, v := range reflect.ValueOf(c).Elem().Fields() {
		switch {
		case !f.IsExported():
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				all = append(all, v.Field(i))
			}
		default:
			all = append(all, v)
		}
	}
	return all
}

// TestOneSettingOneField checks the table against the struct: no field without a setting, none
// with two.
func TestOneSettingOneField(t *testing.T) {
	probes := map[string]string{kindSwitch: "true", "count": "77", "duration": "77s", kindList: "x,y"}
	fields := len(fieldsOf(&Config{}))
	if got := len((&Config{}).table()); got != fields {
		t.Errorf("%d settings for %d fields", got, fields)
	}
	changed := map[int]string{}
	for i, s := range (&Config{}).table() {
		if s.parse == nil {
			continue
		}
		c := Config{}
		text, ok := probes[s.kind]
		if !ok {
			text = "probe"
		}
		if err := c.table()[i].parse(text); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		for f, v := range fieldsOf(&c) {
			if v.IsZero() {
				continue
			}
			if changed[f] != "" {
				t.Errorf("%s and %s both set field %d", changed[f], s.name, f)
			}
			changed[f] = s.name
		}
	}
	if got, want := len(changed), fields-1; got != want { // the list of partners has no text
		t.Errorf("texts set %d fields, want %d", got, want)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Setenv("PROTOCOLQ_SLOTS", "many")
	_, _, err := load(t, "lease: soon\ncalltimeout: 8s\nlease: 1s\nattempts:\nlog_level: [a]\n", "--retry-max", "2 s", "--after-crash", "hope",
		"--nats-creds", "absent.creds", "--nats-reply-creds", "config_test.go",
		"--partner", "12", "--nats", "nats://me:secret@host:4222", "--grace", "20h")
	if end, ok := errors.AsType[*cli.Error](err); !ok || end.Code != cli.ExitUsage {
		t.Fatalf("error %v, want exit %d", err, cli.ExitUsage)
	}
	for _, want := range []string{
		`settings.yaml:2: unknown key "calltimeout"; did you mean "call_timeout"?`,
		`settings.yaml:3: the key "lease" appears twice, first in line 1`,
		`slots: must be a whole number, not "many" (from PROTOCOLQ_SLOTS)`,
		`lease: must be a duration such as 8s or 1h30m, not "soon" (from `,
		`attempts: has no value (from `,
		`log-level: must be one plain value (from `,
		`retry-max: must be a duration such as 8s or 1h30m, not "2 s" (from --retry-max)`,
		`after-crash: must be one of rerun, fail, not "hope" (from --after-crash)`,
		`nats-creds: open absent.creds: no such file or directory (from --nats-creds)`,
		`nats-reply-creds: config_test.go is not a NATS credentials file (from --nats-reply-creds)`,
		`partner: must be 16 digits that begin with 2088, not "12" (from --partner)`,
		`nats: must hold no user or password; use nats-creds, nats-user or nats-token-file (from --nats)`,
		`grace: must be from 0s to 10m, not 20h (from --grace)`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s", want)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("the password is shown")
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestFileFaults(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"syntax":    {"a: [\nb: 1\n", "settings.yaml:2: "},
		"a list":    {"- a\n", "settings.yaml:1: must be a list of settings, key: value"},
		"two":       {"slots: 1\n---\nslots: 2\n", "must hold one document"},
		"alias":     {"lease: &a 12s\nwindow: *a\n", "window: must be one plain value"},
		"nested":    {"slots: {a: 1}\n", "slots: must be one plain value"},
		"comma":     {"reply_allow: ['a,b']\n", `cannot hold a comma`},
		"partners":  {"partners: 1\n", "partners: must be a list, one partner each"},
		"partner":   {"partners:\n- id: '1'\n  keyfile: a\n", `settings.yaml:3: unknown key "keyfile"; did you mean "key_file"?; `},
		"twice":     {"partners:\n- {id: '2088000000000001', key_file: a}\n- {id: '2088000000000001', key_file: b}\n", "settings.yaml:3: partner 2088000000000001 appears twice"},
		"flag-like": {"reply-allow: [a]\n", `unknown key "reply-allow"; did you mean "reply_allow"?`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, test.file)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	for _, empty := range []string{" ", "# nothing\n"} {
		if _, _, err := load(t, empty); err != nil {
			t.Errorf("file %q: %v", empty, err)
		}
	}
}

func TestConflicts(t *testing.T) {
	c, _, err := load(t, "", "--lease", "5s", "--call-timeout", "8s", "--min-age", "2m", "--retry-initial", "9s", "--reply-allow", "",
		"--gateway-reuse-after", "8s")
	if err != nil {
		t.Fatal(err)
	}
	err = c.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{"lease: must be longer than 10s where call-timeout is 8s, not 5s", "min-age: ", "retry-initial: ", "reply-allow: ",
		"gateway-reuse-after: must be shorter than call-timeout (8s), not 8s",
		"partner: is needed: --partner, PROTOCOLQ_PARTNER, or partner in the file"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s in\n%v", want, err)
		}
	}
	good, _, err := load(t, "partners:\n- {id: '2088000000000001', key_file: a}\n", "--partner", "2088000000000001")
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Validate(); err != nil {
		t.Errorf("a good one: %v", err)
	}
}
