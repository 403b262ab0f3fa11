// What the workers are sent when a person is to be forgotten.

package forget

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

func TestForgottenArePublished(t *testing.T) {
	h, err := querylog.NewHasher(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	nc, js := natstest.JetStream(t)
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	ids := slices.Concat(h.Emails("canary.holder@example.com"), h.Accounts("20887777666655554444"))
	if err := publishForgotten(t.Context(), nc, names, ids); err == nil || !strings.Contains(err.Error(), "no stream takes protocol.forget") {
		t.Errorf("without a stream: %v", err)
	}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: names}); err != nil {
		t.Fatal(err)
	}
	if err := publishForgotten(t.Context(), nc, names, ids); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), names.Stream(messages.Submitted))
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; int(n) != len(ids) {
		t.Fatalf("%d messages for %d look-up ids", n, len(ids))
	}
	for i := range ids {
		m, err := stream.GetMsg(t.Context(), uint64(i+1))
		if err != nil || m.Subject != names.Forget() {
			t.Fatalf("%+v, %v", m, err)
		}
		raw, err := hex.DecodeString(string(m.Data))
		if err != nil || len(raw) != len(journal.Hash{}) || !bytes.Equal(raw, ids[i][:]) {
			t.Errorf("%q is not the person's hash: %v", m.Data, err)
		}
	}
}

// A user that the server does not allow to forget anyone gets an error at once, and
// does not wait for an answer.
func TestForbiddenEndsAtOnce(t *testing.T) {
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, NoAuthUser: "u", Users: []*server.User{{Username: "u",
		Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"protocol.forget"}}}}}})
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	h, err := querylog.NewHasher(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &forgetting{cfg: &settings.Config{NATS: []string{ns.ClientURL()}, Prefix: messages.DefaultPrefix}, names: names, hasher: h, now: time.Now(),
		person: person{email: "canary@example.com", ids: database.Person{Emails: h.Emails("canary@example.com")}}}
	begun := time.Now()
	err = f.online(t.Context(), &Report{})
	if end, ok := errors.AsType[*cli.Error](err); !ok || !strings.Contains(err.Error(), `Publish to "protocol.forget"`) || end.Hint == "" || time.Since(begun) > step/2 {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}
