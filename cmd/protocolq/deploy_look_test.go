//go:build unix

// The users in deploy/nats/users.conf that only read: a listener and a monitor.

package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// listen asks a query, and reads its event both live and from the durable consumer.
func (d *deployed) listen(t *testing.T) {
	t.Helper()
	nc, names := d.connect(t, deployedListener), defaultNames(t)
	live, err := nc.SubscribeSync(names.Event(practicePartner, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	q := launch(t, nil, "query", "--nats", d.url, "--nats-creds", d.seed(deployedAsker), "--inbox-prefix", "_INBOX_refunds", "--email", "not-signed@example.com")
	if code := q.exit(); code != cli.ExitNotSigned {
		t.Errorf("query: exit code %d", code)
	}
	want := names.Event(practicePartner, messages.NotSigned)
	if m, err := live.NextMsg(20 * time.Second); err != nil || m.Subject != want || strings.Contains(string(m.Data), "not-signed@example.com") {
		t.Errorf("a live event: %v, %v", m, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	found := false
	err = ask.Events(ctx, nc, "accounting", func(_ context.Context, e ask.Event) error {
		if found = e.Outcome == messages.NotSigned; found {
			cancel()
		}
		return nil
	})
	if err != nil || !found {
		t.Errorf("no stored event: %v", err)
	}
}

// look does everything that a monitor may do.
func (d *deployed) look(t *testing.T) {
	t.Helper()
	nc, names := d.connect(t, natsconfig.Monitor), defaultNames(t)
	beats, err := nc.SubscribeSync(names.Members())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := beats.NextMsg(20 * time.Second); err != nil {
		t.Errorf("no sign of life: %v", err)
	}
	for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb, micro.StatsVerb} {
		subject, err := micro.ControlSubject(verb, messages.ServiceName, "")
		if err != nil {
			t.Fatal(err)
		}
		clitest.Eventually(t, "an answer on "+subject, func() bool {
			m, err := nc.Request(subject, nil, time.Second)
			var who micro.Stats
			return err == nil && json.Unmarshal(m.Data, &who) == nil && who.Name == messages.ServiceName
		})
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range messages.Kinds() {
		if _, err := js.Stream(t.Context(), names.Stream(k)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	if _, err := js.Consumer(t.Context(), names.Stream(messages.Log), messages.ConsumerRecorder); err != nil {
		t.Error(err)
	}
	if _, err := js.AccountInfo(t.Context()); err != nil {
		t.Error(err)
	}
}
