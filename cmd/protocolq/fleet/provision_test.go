// What provision prints where it takes over from an earlier version, and what it says to do.

package fleet

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/worker/provision"
)

func TestProvisionTellsWhatIsUsedNoMore(t *testing.T) {
	var out strings.Builder
	report := provision.Report{Items: []provision.Item{
		{Name: "PROTOCOL_FLEET", Action: provision.Created},
		{Name: "PROTOCOL_PARTNERS", Action: provision.Unused, Remove: "nats stream rm PROTOCOL_PARTNERS",
			Differences: []provision.Difference{{Setting: "subjects", Have: "a.*", Declared: "b"}}},
	}}
	if err := tellProvisioned(&out, cli.Text, report); err != nil {
		t.Fatal(err)
	}
	const want = `PROTOCOL_FLEET     created
PROTOCOL_PARTNERS  used no more
  subjects         a.* -> b
  remove it by     nats stream rm PROTOCOL_PARTNERS
`
	if out.String() != want {
		t.Errorf("it prints\n%swant\n%s", out.String(), want)
	}
}

// Reserved names are refused: the page's replies are read by the consumer named console.
func TestProvisionRefusesNames(t *testing.T) {
	check := func(r provision.Readers) error {
		f := provisionFlags{ackWait: time.Second, readers: r}
		return f.check(Provision().Flags())
	}
	for _, name := range []string{"console", "Console", "backup", "BACKUP"} {
		for flag, r := range map[string]provision.Readers{"--asker": {Askers: []string{"till", name}}, "--http": {HTTP: []string{name}},
			"--listener": {Listeners: []string{name}}} {
			err := check(r)
			want := fmt.Sprintf("%s %s: that name is the fleet's own; give another", flag, name)
			if end, ok := errors.AsType[*cli.Error](err); !ok || end.Code != cli.ExitUsage || err.Error() != want {
				t.Errorf("%s %s: %v", flag, name, err)
			}
		}
	}
	if err := check(provision.Readers{Askers: []string{"consoles"}, HTTP: []string{"shop"}, Listeners: []string{"accounting"}}); err != nil {
		t.Error(err)
	}
}

func TestProvisionHints(t *testing.T) {
	for err, want := range map[error]string{
		fmt.Errorf("%w: 3 in PROTOCOL_REQUESTS", provision.ErrWaiting): "let the old workers answer what waits",
		provision.ErrTakeOver: "--update",
		fmt.Errorf("%w: it needs 1 GiB", provision.ErrNoRoom): "--journal-bytes",
		provision.ErrOldServer:                                "update nats-server",
		provision.ErrSmallServer:                              "max_payload",
		provision.ErrOtherPrefix:                              "--prefix",
		provision.ErrLate:                                     "--wait",
		provision.ErrReadTwice:                                "nats consumer rm",
		errors.New("sealed"):                                  "made anew",
	} {
		if hint := provisionHint(err); !strings.Contains(hint, want) {
			t.Errorf("%v: %s", err, hint)
		}
	}
}

func TestDiffersHints(t *testing.T) {
	anew, differs := provision.Item{Name: "PROTOCOL_REPLIES", Action: provision.Anew}, provision.Item{Name: "PROTOCOL_LOG", Action: provision.Differs}
	for name, c := range map[string]struct {
		items []provision.Item
		flags provisionFlags
		want  string
	}{
		"first, what --update changes": {[]provision.Item{anew, differs}, provisionFlags{}, "--update"},
		"then, what it does not":       {[]provision.Item{anew}, provisionFlags{update: true}, "nats stream rm PROTOCOL_REPLIES"},
		"nothing else differs":         {[]provision.Item{anew}, provisionFlags{}, "nats stream edit PROTOCOL_REPLIES --subjects"},
		"both with --update":           {[]provision.Item{differs, anew}, provisionFlags{update: true, less: true}, "nats stream rm PROTOCOL_REPLIES"},
		"less":                         {[]provision.Item{differs}, provisionFlags{update: true}, "--allow-less"},
		"somebody else's":              {[]provision.Item{anew, {Action: provision.Foreign}}, provisionFlags{update: true}, "somebody else"},
	} {
		if hint := differsHint(provision.Report{Items: c.items}, &c.flags); !strings.Contains(hint, c.want) {
			t.Errorf("%s: %s", name, hint)
		}
	}
}
