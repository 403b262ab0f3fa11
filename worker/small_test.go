// Servers and streams that accept only short messages: a worker starts, or says what it needs.

package worker_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/journal"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
)

// limited are a server's options with a bound for an account that is not the server's own.
func limited(t *testing.T, payload string) server.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server.conf")
	conf := `accounts { FLEET { jetstream: enabled, limits { max_payload: ` + payload + ` }, users: [{user: u, password: p}] } }`
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.DontListen, o.JetStream, o.StoreDir, o.NoSigs, o.NoLog = true, true, t.TempDir(), true, true
	return *o
}

// wantSmall wants a worker to end with the reason.
func wantSmall(t *testing.T, m *member, words string) {
	t.Helper()
	m.dies = true
	within(t, "the worker ends", func() bool { return m.ended.Load() })
	if err := m.stop(); !errors.Is(err, journal.ErrSmall) || !strings.Contains(err.Error(), words) {
		t.Errorf("it ends with %v", err)
	}
}

// An account's bound that is too low: provision refuses, and so does a worker.
func TestAccountOfShortMessages(t *testing.T) {
	t.Parallel()
	o := limited(t, "16384")
	f := newFleet(t, simulator.Options{}, func(s *setup) {
		s.server, s.bare, s.asker = o, true, []nats.Option{nats.UserInfo("u", "p")}
	})
	_, err := provision.Apply(t.Context(), f.js, f.set.provision)
	if !errors.Is(err, provision.ErrSmallServer) || !strings.Contains(err.Error(), "max_payload of 16384 bytes, and 131072 is the least") {
		t.Errorf("provision: %v", err)
	}
	for _, c := range provision.Streams(f.set.provision) {
		if _, err := f.js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	m := f.begin(func(o *worker.Options) {
		o.NATS, o.Reply = f.connect("worker", f.set.asker...), f.connect("replies", f.set.asker...)
	})
	wantSmall(t, m, "of 16384 bytes, and 131072 are the least: raise max_payload")
	if m.isReady() {
		t.Error("it was ready")
	}
}

// A log that gets a bound while workers run: one batch is too large, and they say so.
func TestLogOfShortMessages(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	m := f.start()
	f.shorten(messages.Journal, journal.LeastMessage)
	if r := f.ask(messages.Query{UserEmail: email("signed", "least")}); r.Outcome != messages.Signed {
		t.Errorf("with the least: %s", refusal(r))
	}
	f.shorten(messages.Journal, 64)
	_ = f.nc.PublishRequest(f.names.Query(), f.nc.NewInbox(), []byte(`{"user_email":"`+email("signed", "short")+`"}`))
	wantSmall(t, m, "of 64 bytes, and 131072 are the least: raise max_msg_size of PROTOCOL_JOURNAL")
}

func (f *fleet) shorten(k messages.Kind, bytes int32) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(k))
	if err != nil {
		f.t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.MaxMsgSize = bytes
	if _, err := f.js.UpdateStream(f.t.Context(), c); err != nil {
		f.t.Fatal(err)
	}
}

// Streams that accept almost nothing block no query: what they refuse for good is not tried again.
func TestStreamsOfShortMessages(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	told := []messages.Kind{messages.Events, messages.Log, messages.Replies, messages.Dead}
	for _, k := range told {
		f.shorten(k, 64)
	}
	hasher, err := querylog.NewHasher([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	m := f.start(func(o *worker.Options) { o.LogHasher = hasher })
	for n := range 3 {
		if r := f.ask(messages.Query{UserEmail: email("signed", n)}); r.Outcome != messages.Signed {
			t.Errorf("awaited: %s", refusal(r))
		}
		q := messages.Query{UserEmail: email("debit-only", n), ReplyTo: f.names.ReplyOf("short")}
		if r := f.ask(q); r.Outcome != messages.Accepted {
			t.Errorf("durable: %s", refusal(r))
		}
	}
	within(t, "all that is owed is published or refused for good", func() bool { return m.Stats().Outbox.Waiting == 0 && f.calls() == 6 })
	for _, k := range told {
		if n := f.stream(k).Msgs; n > 0 {
			t.Errorf("%s holds %d messages", k, n)
		}
	}
	for _, k := range told {
		f.shorten(k, -1)
	}
	if r := f.ask(messages.Query{UserEmail: email("signed", "later")}); r.Outcome != messages.Signed {
		t.Errorf("afterwards: %s", refusal(r))
	}
	within(t, "an event", func() bool { return f.stream(messages.Events).Msgs == 1 })
}
