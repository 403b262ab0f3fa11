// Dead letters and switches as an operator and a viewer see them: a real Chromium, real streams.

package letters_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/browsertest"
	"protocolq/cmd/protocolq/console/letters"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/dead"
	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/natstest"
	"protocolq/worker/partner"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
)

const (
	partnerA = "2088000000000001"
	hostile  = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
)

// played are the switches of a played fleet.
type played struct {
	mu    sync.Mutex // guards the rest
	pause intake.Pause
	halts map[string]partner.Halt
	away  bool
}

func (p *played) Pause(context.Context) (intake.Pause, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pause, nil
}

func (p *played) SetPause(_ context.Context, to intake.Pause) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return errors.New("away")
	}
	p.pause = to
	return nil
}

func (p *played) Halts(context.Context) (map[string]partner.Halt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.halts, nil
}

func (p *played) SetHalt(_ context.Context, name string, h partner.Halt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halts[name] = h
	return nil
}

// desk is a page with twelve dead letters.
type desk struct {
	url    string
	js     jetstream.JetStream
	played *played
	audit  audit.Log
}

func newDesk(t *testing.T, users *access.Users) *desk {
	t.Helper()
	nc, js := natstest.JetStream(t)
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: names}); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		q := messages.Query{ID: "booking-" + string(rune('a'+i)), Partner: partnerA, UserEmail: "canary" + string(rune('a'+i)) + "@example.com"}
		reason, header := messages.DeadExpired, nats.Header{messages.HeaderSubject: {"protocol.submit." + partnerA}, messages.HeaderReason: {"no answer within the patience of 30m"}}
		data, err := q.Encode(messages.MsgPack)
		switch i {
		case 4:
			reason, header[messages.HeaderReason] = messages.DeadPoison, []string{hostile}
		case 7:
			reason, data = messages.DeadUnreadable, []byte(`{"user_email":"canary`)
		}
		if err == nil {
			_, err = js.PublishMsg(t.Context(), &nats.Msg{Subject: names.Dead(reason), Data: data, Header: header})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h, err := querylog.NewHasher([]byte(strings.Repeat("0123456789abcdef", 4)))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{js: js, audit: audit.Memory(), played: &played{halts: map[string]partner.Halt{"2088000000000002": {Halted: true, By: "W7", Code: "ILLEGAL_SIGN", Reason: hostile,
		SinceMs: time.Now().Add(-time.Hour).UnixMilli(), ProbeAtMs: time.Now().Add(time.Minute).UnixMilli()}}}}
	page, err := web.New(web.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Users: users, Audit: d.audit, Sections: letters.New(letters.Options{Box: dead.NewBox(nc, js, names, "$JS.API"), Switches: d.played, Audit: d.audit, Partners: []string{partnerA}, Hasher: h})})
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
	d.url = srv.URL
	return d
}

// left is how many messages are in a stream.
func (d *desk) left(t *testing.T, kind string) uint64 {
	t.Helper()
	s, err := d.js.Stream(t.Context(), "PROTOCOL_"+kind)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// newest requires the newest audit row to be this one.
func (d *desk) newest(t *testing.T, what string, many int) {
	t.Helper()
	rows, err := d.audit.Recent(t.Context(), 1)
	if err != nil || len(rows) != 1 || rows[0].What != what || rows[0].HowMany != many || rows[0].Who == "" || rows[0].AtMs == 0 {
		t.Errorf("audit %+v %v, want %s of %d", rows, err, what, many)
	}
}

// An operator finds a person's letter, asks again for it and then for two more, and discards the
// rest. Each time the page first says how many letters it is about, and shows the audit afterwards.
func TestActOnLetters(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	for _, look := range []browsertest.Look{{}, {Lang: "zh-CN", Dark: true}, browsertest.Look{}.Phone(), {NoScript: true}} {
		d := newDesk(t, nil)
		tab := b.Tab(t, look)
		tab.Visit(d.url + "/letters")
		if html := tab.HTML(); strings.Contains(html, "canary") {
			t.Error("the list shows whom a letter is about")
		}
		if !look.NoScript {
			tab.Accessible()
			tab.Screenshot("letters-" + tab.Name())
		}
		tab.Type(`input[name="who"]`, "CanaryB@example.com")
		tab.Click(".filter-do", ".chip")
		if n := strings.Count(tab.HTML(), "data-row"); n != 1 {
			t.Errorf("%d letters of one person", n)
		}
		tab.Click(".c-when a", ".means")
		if !look.NoScript {
			tab.Accessible()
			tab.Screenshot("letter-" + tab.Name())
		}
		tab.Click(`button[value="redrive"]`, ".do-it")
		tab.Click(".do-it", ".note.good")
		d.newest(t, "redrive", 1)
		tab.Click(`tbody tr:nth-child(1) input[name="seq"]`, "")
		tab.Click(`tbody tr:nth-child(2) input[name="seq"]`, `button[value="discard"]`)
		tab.Click(`button[value="discard"]`, ".do-it")
		if title := tab.Text(".sure h1"); !strings.Contains(title, "2") {
			t.Errorf("does not say how many: %q", title)
		}
		if !look.NoScript {
			tab.Accessible()
			tab.Screenshot("letters-confirm-" + tab.Name())
		}
		tab.Click(".do-it", ".note.good")
		d.newest(t, "discard", 2)
		tab.Click(`button[value="redrive-all"]`, ".do-it")
		tab.Click(".do-it", ".note.good")
		d.newest(t, "redrive", 8)
		if !look.NoScript {
			tab.Accessible()
			tab.Screenshot("letters-after-" + tab.Name())
		}
		if n, asked := d.left(t, "DEAD"), d.left(t, "SUBMITTED"); n != 1 || asked != 9 { // the unreadable one
			t.Errorf("%d left and %d asked again, want 1 and 9", n, asked)
		}
	}
}

// The person of a letter is shown to an operator who gives a reason, and the reason is kept.
func TestReveal(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	d := newDesk(t, nil)
	tab := b.Tab(t, browsertest.Look{})
	tab.Visit(d.url + "/letters/2")
	tab.Click(".reveal summary", `.reveal input[name="reason"]`)
	tab.Type(`.reveal input[name="reason"]`, "the customer calls")
	tab.Click(".reveal-form button", ".revealed")
	if text := tab.Text(".revealed"); !strings.Contains(text, "canaryb@example.com") {
		t.Errorf("revealed: %q", text)
	}
	tab.Accessible()
	tab.Screenshot("letter-revealed-" + tab.Name())
	d.newest(t, "reveal", 1)
	r, err := http.PostForm(d.url+"/letters/2/reveal", url.Values{"reason": {" "}})
	if err != nil || r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %v %v", r.StatusCode, err)
	}
	_ = r.Body.Close()
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	for _, look := range []browsertest.Look{{}, {Lang: "zh-CN", Dark: true}, browsertest.Look{Lang: "zh-CN"}.Phone()} {
		d := newDesk(t, nil)
		tab := b.Tab(t, look)
		tab.Visit(d.url + "/controls")
		tab.Click(`.intake button[value="pause"]`, ".do-it")
		tab.Accessible()
		tab.Screenshot("controls-confirm-" + tab.Name())
		tab.Type(`.sure input[name="reason"]`, "the gateway moves")
		tab.Click(".do-it", ".note.good")
		d.newest(t, "pause", 1)
		if p := d.played.pause; !p.Paused || p.Reason != "the gateway moves" || p.By != "local@console" || p.SinceMs == 0 {
			t.Errorf("%+v", p)
		}
		tab.Click(`.halts button[value="halt"]`, ".do-it")
		tab.Click(".do-it", ".note.good")
		d.newest(t, "halt", 1)
		if h := d.played.halts[partnerA]; !h.Halted || h.By != partner.ByOperator || h.Who != "local@console" {
			t.Errorf("%+v", h)
		}
		tab.Accessible()
		tab.Screenshot("controls-" + tab.Name())
		tab.Click(`.halts button[value="reopen"]`, ".do-it")
		tab.Click(".do-it", ".note.good")
		d.newest(t, "reopen", 1)
		tab.Click(`.intake button[value="resume"]`, ".do-it")
		tab.Click(".do-it", ".note.good")
		d.newest(t, "resume", 1)
	}
}

// A viewer sees no button, and every action is refused; an agent sees neither page.
func TestRoles(t *testing.T) {
	t.Parallel()
	users := browsertest.Team(t)
	d := newDesk(t, users)
	for _, c := range []struct {
		role     string
		see, act int
	}{{"viewer", 200, 403}, {"agent", 403, 403}, {"operator", 200, 400}} {
		client := signedIn(t, d.url, c.role)
		for _, page := range []string{"/letters", "/letters/1", "/controls"} {
			if got := status(t, client, http.MethodGet, d.url+page); got != c.see {
				t.Errorf("%s sees %s: %d, want %d", c.role, page, got, c.see)
			}
		}
		for _, page := range []string{"/letters/confirm", "/letters/do", "/controls/confirm", "/controls/do"} {
			if got := status(t, client, http.MethodPost, d.url+page); got != c.act {
				t.Errorf("%s does %s: %d, want %d", c.role, page, got, c.act)
			}
		}
		if got := status(t, client, http.MethodPost, d.url+"/letters/1/reveal"); c.role != "operator" && got != 403 || c.role == "operator" && got != 422 {
			t.Errorf("%s reveals: %d", c.role, got)
		}
	}
	if n := d.left(t, "DEAD"); n != 12 {
		t.Errorf("%d letters left of 12", n)
	}
	b := browsertest.Start(t)
	tab := b.Tab(t, browsertest.Look{})
	tab.SignIn(d.url, "viewer", browsertest.Password)
	tab.Visit(d.url + "/letters")
	if html := tab.HTML(); strings.Contains(html, `value="discard"`) || strings.Contains(html, `type="checkbox"`) {
		t.Error("a viewer is offered an action")
	}
	tab.Accessible()
	tab.Screenshot("letters-viewer-" + tab.Name())
}
