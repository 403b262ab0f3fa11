// What doctor finds on a real server, and that it changes nothing there, even where it may do
// everything.

package doctor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/httpdoor"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
)

// desk is a server that doctor examines.
type desk struct {
	t     *testing.T
	o     *Options
	js    jetstream.JetStream
	names messages.Names
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	srv := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: -1, JetStream: true})
	js, err := jetstream.New(natstest.Connect(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, js: js, names: names, o: &Options{Role: forWorker, Config: &settings.Config{NATS: []string{srv.ClientURL()}, Prefix: messages.DefaultPrefix}}}
}

func (d *desk) provision() {
	d.t.Helper()
	if _, err := provision.Apply(d.t.Context(), d.js, provision.Options{Names: d.names}); err != nil {
		d.t.Fatal(err)
	}
}

// found returns the details of the checks that have this status, by name.
func (d *desk) found(s Status) map[string]string {
	d.t.Helper()
	list := map[string]string{}
	for _, c := range checkNATS(d.t.Context(), d.o) {
		if c.Status == s {
			list[c.Name] = c.Detail
			if s == Fault && c.Cure == "" {
				d.t.Errorf("%s has no cure", c.Name)
			}
		}
	}
	return list
}

// state describes everything on the server that could be changed.
func (d *desk) state() string {
	d.t.Helper()
	var b strings.Builder
	streams := d.js.ListStreams(d.t.Context())
	for info := range streams.Info() {
		text, err := json.Marshal([]any{info.Config, info.State})
		if err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprintln(&b, string(text))
		s, err := d.js.Stream(d.t.Context(), info.Config.Name)
		if err != nil {
			d.t.Fatal(err)
		}
		for c := range s.ListConsumers(d.t.Context()).Info() {
			fmt.Fprintf(&b, "  %s delivered %d, acknowledged %d, pending %d %d\n", c.Name, c.Delivered.Consumer, c.AckFloor.Consumer, c.NumAckPending, c.NumPending)
		}
	}
	if err := streams.Err(); err != nil {
		d.t.Fatal(err)
	}
	return b.String()
}

func TestDoctorChangesNothing(t *testing.T) {
	d := newDesk(t)
	d.provision()
	for _, subject := range []string{"protocol.journal.m1", "protocol.submit", "protocol.log.run", "protocol.reply.a", "protocol.dead.poison", "protocol.intake", "protocol.event.1.signed"} {
		for range 3 {
			if _, err := d.js.Publish(t.Context(), subject, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := d.state()
	for _, role := range roles {
		d.o.Role = role
		if faults := d.found(Fault); len(faults) > 0 {
			t.Errorf("%s: %v", role, faults)
		}
		if open := d.found(Skipped)["nats.excess"]; !strings.Contains(open, "STREAM.DELETE.PROTOCOL_JOURNAL") || !strings.Contains(open, "this machine alone") {
			t.Errorf("%s: a server without users: %q", role, open)
		}
	}
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Errorf("doctor has changed the streams (-before +after):\n%s", diff)
	}
}

func TestStreamsThatAreNotAsDeclared(t *testing.T) {
	d := newDesk(t)
	if got := d.found(Fault)["nats.streams"]; strings.Count(got, "is missing") != 11 {
		t.Errorf("nothing is provisioned: %q", got)
	}
	d.provision()
	s, err := d.js.Stream(t.Context(), "PROTOCOL_DEAD")
	if err != nil {
		t.Fatal(err)
	}
	changed := s.CachedInfo().Config
	changed.MaxAge = time.Hour
	if _, err := d.js.UpdateStream(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := d.js.DeleteConsumer(t.Context(), "PROTOCOL_LOG", "recorder"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "THEFT", Subjects: []string{"protocol.query"}, NoAck: true}); err != nil {
		t.Fatal(err)
	}
	faults := d.found(Fault)
	for name, parts := range map[string][]string{
		"nats.streams": {"PROTOCOL_DEAD: max_age is 1h0m0s, declared is 2160h0m0s", "PROTOCOL_LOG > recorder is missing"},
		"nats.foreign": {"THEFT captures protocol.query"},
	} {
		for _, part := range parts {
			if !strings.Contains(faults[name], part) {
				t.Errorf("%s: %q lacks %q", name, faults[name], part)
			}
		}
	}
	if len(faults) != 2 {
		t.Errorf("faults %v", faults)
	}
}

// The streams of an HTTP door's askers, and the consumers that it reads with, are checked where
// the settings name the askers.
func TestStreamsOfTheHTTPDoor(t *testing.T) {
	d := newDesk(t)
	d.provision()
	d.o.Askers = []httpdoor.Asker{{Name: "shop", Partners: []string{"2088000000000001"}}}
	for _, role := range []string{forWorker, forHTTP} {
		d.o.Role = role
		for _, part := range []string{"PROTOCOL_HTTP_shop is missing", "PROTOCOL_HTTP_shop > webhook is missing", "PROTOCOL_REPLIES > shop is missing"} {
			if faults := d.found(Fault)["nats.streams"]; !strings.Contains(faults, part) {
				t.Errorf("%s: %q lacks %q", role, faults, part)
			}
		}
	}
	if _, err := provision.Apply(t.Context(), d.js, provision.Options{Names: d.names, Readers: provision.Readers{HTTP: []string{"shop"}}}); err != nil {
		t.Fatal(err)
	}
	before := d.state()
	if faults := d.found(Fault); len(faults) > 0 {
		t.Errorf("%v", faults)
	}
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Errorf("doctor has changed the streams (-before +after):\n%s", diff)
	}
}

func TestNoServer(t *testing.T) {
	o := &Options{Role: forWorker, Config: &settings.Config{NATS: []string{"nats://127.0.0.1:1"}, Prefix: "protocol"}}
	list := checkNATS(t.Context(), o)
	if len(list) != 1 || list[0].Name != "nats" || list[0].Status != Fault || list[0].Cure == "" {
		t.Errorf("%+v", list)
	}
}

func TestSyncInterval(t *testing.T) {
	always := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"server_name":"n1","jetstream":{"config":{"sync_always":%v,"sync_interval":120000000000}}}`, always)
	}))
	defer s.Close()
	if c := checkSync(t.Context(), []string{s.URL}); c.Status != Well {
		t.Errorf("%+v", c)
	}
	if always = false; checkSync(t.Context(), []string{s.URL}).Status != Fault {
		t.Error("a server that syncs every two minutes is well")
	}
	if c := checkSync(t.Context(), []string{"http://127.0.0.1:1"}); c.Status != Fault {
		t.Errorf("%+v", c)
	}
	if c := checkSync(t.Context(), nil); c.Status != Skipped {
		t.Errorf("%+v", c)
	}
}

func TestOlder(t *testing.T) {
	for version, want := range map[string]bool{"2.10.29": true, "2.11.0": false, "2.15.2": false, "1.99.9": true, "3.0.0": false, "2.11.0-RC.1": false, "": false} {
		if got := older(version, oldestNATS); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestOnlyHere(t *testing.T) {
	for server, want := range map[string]bool{"nats://127.0.0.1:4222": true, "localhost": true, "[::1]:4222": true, "nats://10.0.0.1:4222": false, "nats.example": false} {
		if got := onlyHere([]string{server}); got != want {
			t.Errorf("%q: %v", server, got)
		}
	}
	if onlyHere([]string{"127.0.0.1", "10.0.0.1"}) {
		t.Error("one of two is elsewhere")
	}
}

func TestSkew(t *testing.T) {
	now := time.Now()
	for after, want := range map[time.Duration]Status{0: Well, time.Second: Well, -time.Second: Well, 5 * time.Second: Fault, -5 * time.Second: Fault} {
		if c := checkSkew("clock.nats", now.Add(after), now, now.Add(time.Millisecond)); c.Status != want {
			t.Errorf("%v: %+v", after, c)
		}
	}
}

func TestPayload(t *testing.T) {
	if checkPayload(64<<10).Status != Fault || checkPayload(128<<10).Status != Well {
		t.Error("the shipped configuration has 128 KiB, and half of it is too little")
	}
	if !slices.Contains([]Status{Well, Fault}, checkVersion("2.15.2").Status) {
		t.Error("no verdict")
	}
}
