// What doctor finds about the page in the browser.

package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/querylog/database"
)

func TestConsoleURL(t *testing.T) {
	for text, want := range map[string][2]Status{ // for this machine alone, for others
		"":                              {Skipped, Fault},
		"https://protocolq.example.com": {Well, Well},
		"http://127.0.0.1:8470":         {Well, Well},
		"http://localhost:8470":         {Well, Well},
		"http://protocolq.example.com":  {Fault, Fault},
		"http://10.0.0.1:8470":          {Fault, Fault},
		"https://[":                     {Fault, Fault},
	} {
		for i, local := range []bool{true, false} {
			if c := checkURL(text, local); c.Status != want[i] || c.Status == Fault && c.Cure == "" {
				t.Errorf("%q, local %v: %+v", text, local, c)
			}
		}
	}
}

func TestConsoleAudit(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(there, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Status{"": Skipped, there: Well, filepath.Join(dir, "new.jsonl"): Well, filepath.Join(dir, "none", "audit.jsonl"): Fault, dir: Fault} {
		if c := checkAudit(path); c.Status != want || want == Fault && c.Cure == "" {
			t.Errorf("%q: %+v", path, c)
		}
	}
	if data, err := os.ReadFile(there); err != nil || string(data) != "{}\n" {
		t.Errorf("doctor has changed it: %q, %v", data, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new.jsonl")); !os.IsNotExist(err) {
		t.Errorf("doctor has made it: %v", err)
	}
}

func TestConsoleReadsTheQueryLog(t *testing.T) {
	at := "sqlite://" + filepath.Join(t.TempDir(), "log.db")
	if c := checkReading(t.Context(), ""); c.Status != Skipped {
		t.Errorf("without one: %+v", c)
	}
	if c := checkReading(t.Context(), at); c.Status != Fault || !strings.Contains(c.Cure, "protocolq recorder") {
		t.Errorf("not there: %+v", c)
	}
	db, err := database.Open(t.Context(), database.Options{URL: at})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if c := checkReading(t.Context(), at); c.Status != Well {
		t.Errorf("there: %+v", c)
	}
}

// One user may only subscribe to its inbox, another may do everything.
func TestConsoleRights(t *testing.T) {
	nothing := &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"nothing"}}, Subscribe: &server.SubjectPermission{Allow: []string{consoleInbox + ".>"}}}
	srv := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, Users: []*server.User{{Username: "none", Password: "x", Permissions: nothing}, {Username: "all", Password: "x"}}})
	found := func(user, partner string) map[string]Check {
		o := &Options{Role: forConsole, Config: &settings.Config{Prefix: messages.DefaultPrefix, NATS: []string{strings.Replace(srv.ClientURL(), "://", "://"+user+":x@", 1)}}}
		if partner != "" {
			o.Config.Console.Partners = []string{partner}
		}
		list := map[string]Check{}
		for _, c := range checkNATS(t.Context(), o) {
			list[c.Name] = c
		}
		return list
	}
	none := found("none", "2088000000000001")
	for _, part := range []string{"subscribe protocol.member.*", "publish $SRV.STATS.protocol-query", "publish protocol.redrive.0", "publish protocol.partner.0.halt", "publish protocol.intake",
		"publish protocol.submit.2088000000000001.console", "publish protocol.watch.kept.doctor.doctor", "publish $JS.API.CONSUMER.MSG.NEXT.PROTOCOL_REPLIES.console", "publish $JS.API.STREAM.MSG.DELETE.PROTOCOL_DEAD"} {
		if c := none["nats.rights"]; c.Status != Fault || !strings.Contains(c.Detail, part) {
			t.Errorf("too few: %q lacks %q", c.Detail, part)
		}
	}
	if c := none["nats.excess"]; c.Status != Well {
		t.Errorf("too few: %+v", c)
	}
	all := found("all", "")
	if c := all["nats.rights"]; c.Status != Well {
		t.Errorf("all: %+v", c)
	}
	for part, may := range map[string]bool{"STREAM.DELETE.PROTOCOL_JOURNAL": true, "protocol.forget": true, "protocol.watch.due.doctor.doctor": true, "STREAM.MSG.DELETE.PROTOCOL_WATCHES": true,
		"CONSUMER.MSG.NEXT.PROTOCOL_REPLIES.doctor": true, "protocol.redrive.0": false, "protocol.intake": false} {
		if c := all["nats.excess"]; strings.Contains(c.Detail, part) != may {
			t.Errorf("all: %+v, %q %v", c, part, may)
		}
	}
	if c := all["nats.streams"]; !strings.Contains(c.Detail, "PROTOCOL_REPLIES > console is missing") {
		t.Errorf("nothing is provisioned: %+v", c)
	}
}
