//go:build unix

// Signing keys, e-mail addresses and account numbers must not get out, at the most verbose log
// level and whatever goes wrong.

package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/messages"
)

// Canaries: what the test looks for in everything that others than the asker can read.
const (
	canaryPartner = "2088123412341234"
	canaryKey     = "c4n4ryk3yc4n4ryk3yc4n4ryk3yc4n4r"
	canaryName    = "canaryperson"
	canaryDomain  = "canarydomain.example"
	canaryPhone   = "13712345678"
)

// canaryAccounts play these parts: signed; SYSTEM_ERROR for the first 2 calls; illegal.
var canaryAccounts = []string{"20887777000066669901", "20887777000066669702", "20887777000066669907"}

// canaryParts are every way a query can end.
var canaryParts = []string{"signed", "not-signed", "abnormal", "system-error-1", "system-error", "illegal-sign", "illegal-email", "unlisted", "p",
	"flag-missing", "fault-drop", "fault-reset-1", "fault-half-body-1", "fault-html-1", "fault-redirect-307-1", "fault-bad-sign", "fault-garbage-1",
	"fault-other-account-1", "fault-hang-1", "fault-503-1"}

func TestNothingGetsOut(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{})
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(canaryKey), 0o600); err != nil {
		t.Fatal(err)
	}
	own := []string{"--partner", canaryPartner, "--key-file", key}
	debug := append([]string{"--log-level", "debug"}, own...)
	simulator := launch(t, nil, append([]string{"simulator", "--listen", "127.0.0.1:0", "-o", "json"}, debug...)...)
	urls := simulator.urls()
	s.gateway, s.log = urls["gateway"], urls["gateway_log"]
	processes := append(s.workers(2, append(debug, "--call-timeout", "500ms", "--lease", "3s", "--retry-initial", "10ms", "--retry-max", "50ms",
		"--attempts", "3")...), simulator)

	heard := listen(t, s.connect(), "protocol.event.>")
	queries := canaryQueries()
	c := newCrowd(s)
	for _, q := range queries {
		c.ask(q)
	}
	everybody(t, c)
	canaryRubbish(t, s)
	verbose := launch(t, nil, append([]string{"call", "-v", "--unsafe-gateway", "--gateway-url", s.gateway, "--email", "signed@example.com"}, own...)...)
	if code := verbose.exit(); code != cli.ExitOK {
		t.Errorf("call: exit code %d", code)
	}
	wrong := launch(t, nil, "worker", "--partner", canaryPartner, "--key-file", key, "--sign-type", "RSA2", "--log-level", "debug", "--log-format", "text")
	wrong.exit()

	stats := s.service("STATS")
	for _, p := range processes[:2] {
		p.stop()
	}
	hunt := newHunt(queries)
	if found, _ := hunt.first(string(s.fetch("/calls"))); found == "" {
		t.Error("the hunt finds nothing where all is in the clear")
	}
	for _, p := range append(processes, verbose, wrong) {
		hunt.through(t, strings.Join(p.cmd.Args[:2], " "), p.out.String(), p.err.String())
	}
	for _, told := range append(stats, s.service("INFO")...) {
		hunt.through(t, "the service", string(told))
	}
	hunt.through(t, "events", heard()...)
	if n := len(heard()); n < len(canaryParts) {
		t.Errorf("%d events heard: not the test that was meant", n)
	}
	said := processes[0].err.String() + processes[1].err.String()
	if !strings.Contains(said, `"DEBUG"`) || !strings.Contains(said, "c***") && !strings.Contains(said, "s***@c***.example") {
		t.Error("the workers' logs hold no line with a masked asker: not the test that was meant")
	}
}

// canaryQueries ask with every canary in every field that may hold one.
func canaryQueries() (list []messages.Query) {
	for _, part := range canaryParts {
		list = append(list, messages.Query{UserEmail: part + "+" + canaryName + "@" + canaryDomain})
	}
	for _, account := range canaryAccounts {
		list = append(list, messages.Query{AccountNo: account}, messages.Query{AccountNo: account, UserEmail: "signed." + account + canaryName + "@" + canaryDomain})
	}
	return append(list,
		messages.Query{UserEmail: canaryPhone},
		messages.Query{UserEmail: "not-signed+" + canaryName + "@" + canaryDomain, Key: "one key"},
		messages.Query{AccountNo: canaryAccounts[0], Key: "one key"}, // KEY_CONFLICT
		messages.Query{UserEmail: "signed+" + canaryName + "@" + canaryDomain, Partner: "2088999999999999"})
}

// canaryRubbish sends what cannot be read or answered, with the canaries in it.
func canaryRubbish(t *testing.T, s *stand) {
	t.Helper()
	nc := s.connect()
	email := "signed+" + canaryName + "@" + canaryDomain
	for _, body := range []string{
		`{"v":1,"user_email":"` + canaryName + ` @` + canaryDomain + `"}`,
		`{"v":1,"account_no":"` + canaryAccounts[0] + `x"}`,
		`{"v":1,"` + email + `":1}`, // a person's data where a field's name belongs
		`{"v":1,"` + email + `":1,"` + email + `":2}`,
		`{"v":1,"user_email":"` + email + `","user_email":"` + email + `"}`,
		`{"v":1,"user_email":"` + email + `","biz_type":"` + canaryAccounts[0] + `"}`,
		`{"v":1,"user_email":"` + email + `","reply_to":"` + canaryName + `.` + canaryDomain + `"}`,
		`{"v":1,"user_email":"` + email,
		email,
	} {
		if _, err := nc.Request("protocol.query", []byte(body), time.Minute); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if err := nc.Publish("protocol.submit", []byte(body)); err != nil { // becomes a dead letter
			t.Error(err)
		}
	}
	clitest.Eventually(t, "everything submitted was looked at", func() bool {
		return s.messages(messages.Submitted) == 0
	})
}

// listen collects every message on the subjects.
func listen(t *testing.T, nc *nats.Conn, subjects ...string) func() []string {
	t.Helper()
	var mu sync.Mutex
	var heard []string
	for _, subject := range subjects {
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, m.Subject+" "+string(m.Data))
		}); err != nil {
			t.Fatal(err)
		}
	}
	return func() []string {
		if err := nc.Flush(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), heard...)
	}
}

// hunt looks for the canaries, and for the key tokens that could be guessed from them.
type hunt []string

func newHunt(queries []messages.Query) hunt {
	h := hunt{canaryKey, canaryKey[:12], canaryName, "canarydomain", canaryPhone}
	h = append(h, canaryAccounts...)
	for _, q := range queries {
		if q.Partner == "" {
			q.Partner = canaryPartner
		}
		h = append(h, q.KeyToken())
	}
	return h
}

// first finds a canary in text, plain or percent-encoded, and returns it with the text around
// it.
func (h hunt) first(text string) (canary, around string) {
	plain, _ := url.QueryUnescape(text)
	for _, form := range []string{text, plain} {
		for _, canary := range h {
			if at := strings.Index(strings.ToLower(form), canary); at >= 0 {
				return canary, form[max(0, at-200):min(len(form), at+100)]
			}
		}
	}
	return "", ""
}

func (h hunt) through(t *testing.T, where string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if canary, around := h.first(text); canary != "" {
			t.Errorf("%s shows %q: …%s…", where, canary, around)
		}
	}
}
