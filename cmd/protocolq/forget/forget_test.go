// A person's dead letters are deleted, and no others. What is left is listed with a date.

package forget

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

func newForgetting(t *testing.T, email, account string) *forgetting {
	t.Helper()
	h, err := querylog.NewHasher(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return &forgetting{names: names, hasher: h, now: time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC),
		person: person{email: email, account: account, ids: database.Person{Emails: h.Emails(email), Accounts: h.Accounts(account)}}}
}

func TestDeadLetters(t *testing.T) {
	_, js := natstest.JetStream(t)
	f := newForgetting(t, "Canary.Holder@example.com", "20887777666655554444")
	if p, err := f.dead(t.Context(), js); err != nil || p.Found != 0 {
		t.Errorf("without a stream: %+v, %v", p, err)
	}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: f.names}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"user_email":"canary.holder@EXAMPLE.com"}`, // 1: the person, in another spelling
		`{"user_email":"another@example.com"}`,
		`{"account_no":"20887777666655554444"}`,   // 3
		`garbage about Canary.holder@example.com`, // 4: cannot be read
		`garbage`,
	} {
		m := &nats.Msg{Subject: f.names.Dead("poison"), Data: []byte(body), Header: nats.Header{"Content-Type": {"application/json"}}}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	f.dry = true
	if p, err := f.dead(t.Context(), js); err != nil || p.Found != 3 || p.Deleted != 0 {
		t.Errorf("dry run: %+v, %v", p, err)
	}
	f.dry = false
	if p, err := f.dead(t.Context(), js); err != nil || p.Found != 3 || p.Deleted != 3 {
		t.Errorf("%+v, %v", p, err)
	}
	if diff := cmp.Diff([]uint64{2, 5}, sequences(t, js, f.names.Stream(messages.Dead))); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if p, err := f.dead(t.Context(), js); err != nil || p.Found != 0 {
		t.Errorf("again: %+v, %v", p, err)
	}
}

func sequences(t *testing.T, js jetstream.JetStream, stream string) (list []uint64) {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		if _, err := s.GetMsg(t.Context(), seq); err == nil {
			list = append(list, seq)
		}
	}
	return list
}

// Many dead letters about others come before the person's.
func TestManyDeadLetters(t *testing.T) {
	_, js := natstest.JetStream(t)
	f := newForgetting(t, "canary@example.com", "")
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: f.names}); err != nil {
		t.Fatal(err)
	}
	for i := range 501 {
		body := `{"user_email":"another@example.com"}`
		if i == 500 {
			body = `{"user_email":"canary@example.com"}`
		}
		if _, err := js.PublishAsync(f.names.Dead("poison"), []byte(body), jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	if p, err := f.dead(t.Context(), js); err != nil || p.Deleted != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestWhatIsLeft(t *testing.T) {
	now := time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC)
	r := &Report{DryRun: true}
	r.add(leftFor(now, map[messages.Kind]time.Duration{messages.Replies: 7 * 24 * time.Hour, messages.Events: 24 * time.Hour})...)
	var b bytes.Buffer
	if err := r.print(&b, cli.Text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"dry run    nothing is deleted", "delete them, until 2026-12-06T05:00:00Z", "events, masked, until 2026-11-30T05:00:00Z",
		"watches that have ended, if there are any, masked, until 2026-12-14T05:00:00Z", "forget again once it has"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestAuditSaysNobody(t *testing.T) {
	r := &Report{}
	if detail(r) != "nothing found" {
		t.Errorf("%q", detail(r))
	}
	r.add(Place{Place: "dead", Found: 2, Deleted: 2}, Place{Place: "replies"}, Place{Place: "database", Found: 7, Deleted: 7})
	if got := detail(r); got != "dead=2 database=7" {
		t.Errorf("%q", got)
	}
	if operator() == "" {
		t.Error("nobody typed it")
	}
}
