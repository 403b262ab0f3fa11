// The fleet as a reader sees it: a real Chromium, and a poller that reads real streams and played
// workers.

package fleet_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/browsertest"
	"protocolq/cmd/protocolq/console/fleet"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/intake"
	"protocolq/worker/natstest"
	"protocolq/worker/partner"
	"protocolq/worker/provision"
)

const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"

// records are played records of operators.
type records struct{}

func (records) Pause(context.Context) (intake.Pause, error) {
	return intake.Pause{Paused: true, By: "ann@console", Reason: hostile}, nil
}

func (records) Halts(context.Context) (map[string]partner.Halt, error) {
	return map[string]partner.Halt{"2088000000000002": {Halted: true, By: "W7", Code: "ILLEGAL_SIGN", Reason: "5 faults of 3 keys", SinceMs: 1795424398000, ProbeAtMs: 1795424458000}}, nil
}

// figures are the figures of one worker after n readings.
func figures(n uint64, member string) worker.Stats {
	return worker.Stats{Member: member, UptimeMs: int64(n) * 5000, Keys: 12, Position: 100, LeaseMs: 2700, InFlight: 9, Slots: 64, Parked: 4, Members: 2,
		Outcomes: map[string]uint64{"signed": 400 * n, "not_signed": 120 * n, "unknown": 8 * n, "refused": 3 * n}, Sources: map[string]uint64{"joined": 90 * n, "remembered": 200 * n},
		Codes: map[string]uint64{"NO_SIGN_CUSTOMER": 120 * n, "SYSTEM_ERROR": 8 * n, hostile: n}, Partners: map[string]worker.Partner{"2088000000000001": {Calls: 230 * n, Rate: 100, Concurrency: 64}},
		Gateway: worker.Histogram{Count: 230 * n, UpTo: []int64{5, 10, 25, 50, 100, 250}, Buckets: []uint64{10 * n, 40 * n, 120 * n, 40 * n, 15 * n, 4 * n, n}}}
}

// history is the history of two workers over an hour, with a wave in it.
func history() fleet.History {
	var h fleet.History
	at := time.Now().Add(-time.Hour)
	var n uint64 = 1000
	for i := range 720 {
		n += uint64(1 + (i/40)%4)
		r := fleet.Reading{At: at.Add(time.Duration(i) * 5 * time.Second), Streams: map[messages.Kind]fleet.Stream{}}
		r.Workers = map[string]fleet.Worker{"A": {Owner: "worker-1@host", Version: "0.1.0", Stats: figures(n, "V1bCdEfGhIjKlMnOpQrStU")}, "B": {Owner: "worker-2@host", Version: "0.1.0", Stats: figures(n, "W1bCdEfGhIjKlMnOpQrStU")}}
		for j, kind := range messages.Kinds() {
			r.Streams[kind] = fleet.Stream{Messages: uint64(j * 1700), Bytes: uint64(j) << 24, Most: 128 << 20, Last: 103, Oldest: r.At.Add(-time.Duration(j) * 30 * time.Second)}
		}
		alone := r.Workers["B"]
		alone.Stats.Halts = map[string]partner.Halt{"2088000000000001": {Halted: true, By: "worker-2@host", Code: "ILLEGAL_SIGN", Reason: "compare their key files", SinceMs: 1795424398000, ProbeAtMs: 1795424458000}}
		r.Workers["B"] = alone
		r.Pause, _ = records{}.Pause(context.Background())
		r.Halts, _ = records{}.Halts(context.Background())
		h = h.Fold(r)
	}
	return h
}

func serve(t *testing.T, of func() fleet.History, users *access.Users) string {
	t.Helper()
	page, err := web.New(web.Options{Users: users, Sections: []web.Section{fleet.New(of)}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(page)
	t.Cleanup(srv.Close)
	t.Cleanup(func() {
		for _, r := range page.Reports() {
			t.Errorf("the policy kept something off a page: %s", r)
		}
	})
	return srv.URL
}

func TestFleetInTheBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	full := history()
	url := serve(t, func() fleet.History { return full }, nil)
	empty := serve(t, func() fleet.History { return fleet.History{} }, nil)
	for _, look := range []browsertest.Look{{}, {Lang: "zh-CN", Dark: true}, browsertest.Look{Lang: "zh-CN"}.Phone(), {NoScript: true}} {
		tab := b.Tab(t, look)
		tab.Visit(url + "/fleet")
		html := tab.HTML()
		halted := "halted by 1 of 2 workers"
		if look.Lang != "" {
			halted = "已被 1 个 worker 暂停（共 2 个）"
		}
		for _, word := range []string{halted, "compare their key files", "worker-1@host", "2088000000000001", "ILLEGAL_SIGN", "5 faults of 3 keys", "&lt;script&gt;alert(1)"} {
			if !strings.Contains(html, word) {
				t.Errorf("%+v: does not show %q", look, word)
			}
		}
		if look.NoScript {
			continue
		}
		tab.Accessible()
		tab.Screenshot("fleet-" + tab.Name())
		tab.Visit(empty + "/fleet")
		tab.Accessible()
		tab.Screenshot("fleet-empty-" + tab.Name())
	}
}

// Viewers and operators see the fleet. Agents and people who have not signed in neither see it nor
// are offered it.
func TestRoles(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	full := history()
	url := serve(t, func() fleet.History { return full }, browsertest.Team(t))
	for _, role := range []string{"viewer", "operator"} {
		tab := b.Tab(t, browsertest.Look{})
		tab.SignIn(url, role, browsertest.Password)
		tab.Visit(url + "/fleet")
		tab.Await("#fleet-members table")
		if html := tab.HTML(); !strings.Contains(html, `href="/fleet"`) {
			t.Errorf("%s is not offered the fleet", role)
		}
	}
	tab := b.Tab(t, browsertest.Look{})
	tab.SignIn(url, "agent", browsertest.Password)
	tab.Visit(url + "/fleet")
	tab.Await(".fault")
	if html := tab.HTML(); strings.Contains(html, `href="/fleet"`) || strings.Contains(html, "worker-1@host") {
		t.Error("an agent sees the fleet, or is offered it")
	}
	for _, path := range []string{"/fleet", "/fleet/events"} {
		if code := tab.Status("GET", path, ""); code != http.StatusForbidden {
			t.Errorf("an agent gets %s: %d", path, code)
		}
	}
	nobody := b.Tab(t, browsertest.Look{})
	nobody.Visit(url + "/fleet")
	nobody.Await(`input[name="password"]`)
}

// Only a part that has changed is replaced in an open tab.
func TestLive(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	var changed atomic.Bool
	was := history()
	now := was.Fold(fleet.Reading{At: time.Now().Add(time.Minute)}) // all workers have gone
	url := serve(t, func() fleet.History {
		if changed.Load() {
			return now
		}
		return was
	}, nil)
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(url + "/fleet")
	tab.Await("#fleet-members table")
	changed.Store(true)
	tab.Await("#fleet-members .empty")
	tab.Await("#fleet-state .note.bad")
}

// The poller asks by one message, reads the streams, and leaves out replies that are not from
// workers.
func TestPoller(t *testing.T) {
	t.Parallel()
	nc, js := natstest.JetStream(t)
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: names}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), names.Dead(messages.DeadPoison), []byte("x")); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(figures(1, "V1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []any{
		micro.Stats{ServiceIdentity: micro.ServiceIdentity{Name: messages.ServiceName, ID: "A", Version: "0.1.0", Metadata: map[string]string{"owner": "w1"}}, Endpoints: []*micro.EndpointStats{{Data: data}}},
		micro.Stats{ServiceIdentity: micro.ServiceIdentity{Name: "another", ID: "B"}, Endpoints: []*micro.EndpointStats{{Data: data}}},
		micro.Stats{ServiceIdentity: micro.ServiceIdentity{Name: messages.ServiceName, ID: "C"}}, "no answer",
	} {
		body, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Subscribe("$SRV.STATS."+messages.ServiceName, func(m *nats.Msg) { _ = m.Respond(body) }); err != nil {
			t.Fatal(err)
		}
	}
	p := fleet.NewPoller(fleet.PollerOptions{NATS: nc, JetStream: js, Names: names, Records: records{}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()
	for p.History().Now.At.IsZero() && t.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a real server's reply
	}
	stop()
	<-ended
	r := p.History().Now
	if len(r.Workers) != 1 || r.Workers["A"].Owner != "w1" || r.Workers["A"].Stats.Keys != 12 || r.Streams[messages.Dead].Messages != 1 || len(r.Streams) != len(messages.Kinds()) || !r.Pause.Paused || len(r.Faults) > 0 {
		t.Errorf("%+v", r)
	}
}
