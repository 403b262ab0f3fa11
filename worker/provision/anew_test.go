// Streams with settings that no server changes: they stay as they are, and everything else is done.

package provision_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/provision"
)

// Every setting for which a stream is left alone is one that the server refuses to change, and the
// report says so in place of an error.
func TestWhatNoServerChanges(t *testing.T) {
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"retention":           func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"storage":             func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"sealed":              func(c *jetstream.StreamConfig) { c.Sealed = true },
		"deny_delete":         func(c *jetstream.StreamConfig) { c.DenyDelete = true },
		"deny_purge":          func(c *jetstream.StreamConfig) { c.DenyPurge = true },
		"allow_msg_ttl":       func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true },
		"allow_msg_schedules": func(c *jetstream.StreamConfig) { c.AllowMsgSchedules, c.Discard = true, jetstream.DiscardOld },
		"allow_msg_counter":   func(c *jetstream.StreamConfig) { c.AllowMsgCounter = true },
		"persist_mode":        func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
	} {
		t.Run(name, func(t *testing.T) {
			js, o := start(t), options(t, "protocol")
			want := declared(t, o, messages.Events)
			have := want
			change(&have)
			sealed := have.Sealed
			have.Sealed = false // no stream is made so
			if _, err := js.CreateStream(t.Context(), have); err != nil {
				t.Fatal(err)
			}
			if sealed {
				changeStream(t, js, have.Name, change)
			}
			if _, err := js.UpdateStream(t.Context(), want); err == nil {
				t.Error("the server changes it")
			}
			o.Update = true
			r := apply(t, js, o)
			if done := actions(r); !r.Differs() || done[want.Name] != provision.Anew || done["PROTOCOL_DEAD"] != provision.Created {
				t.Errorf("%v", done)
			}
		})
	}
}

// A fleet of version 0.1 has a stream of replies that keeps what was read. Everything else is
// updated. Once no more replies go to that stream, its readers read it to its end, and it is made
// anew.
func TestRepliesOfAnEarlierVersion(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	old := declared(t, o, messages.Replies)
	old.Retention, old.MaxMsgsPerSubject, old.MaxMsgSize = jetstream.LimitsPolicy, 100_000, -1
	s, err := js.CreateStream(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	submitted := declared(t, o, messages.Submitted)
	submitted.Duplicates = old.Duplicates
	if _, err := js.CreateStream(t.Context(), submitted); err != nil {
		t.Fatal(err)
	}
	o.Update, o.Readers.Askers = true, []string{"refunds"}
	want := map[string]provision.Action{"PROTOCOL_REPLIES": provision.Anew, "PROTOCOL_SUBMITTED": provision.Updated}
	for _, name := range []string{"PROTOCOL_JOURNAL", "PROTOCOL_FLEET", "PROTOCOL_EVENTS", "PROTOCOL_LOG", "PROTOCOL_DEAD",
		"PROTOCOL_SUBMITTED > submitted", "PROTOCOL_LOG > recorder", "PROTOCOL_REPLIES > refunds", "PROTOCOL_REPLIES > console",
		"PROTOCOL_WATCHES", "PROTOCOL_WATCHES > watches"} {
		want[name] = provision.Created
	}
	if diff := cmp.Diff(want, actions(apply(t, js, o))); diff != "" {
		t.Error(diff)
	}

	publish(t, js, o.Names.ReplyOf("refunds"), "signed")
	changeStream(t, js, old.Name, func(c *jetstream.StreamConfig) { c.Subjects = []string{o.Names.Prefix() + ".unused.reply"} })
	if _, err := js.Publish(t.Context(), o.Names.ReplyOf("refunds"), []byte("not signed")); err == nil {
		t.Error("it is stored yet")
	}
	c, err := s.Consumer(t.Context(), "refunds")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := c.Next(); err != nil || string(m.Data()) != "signed" {
		t.Fatalf("%v, %v", m, err)
	}
	if err := js.DeleteStream(t.Context(), old.Name); err != nil {
		t.Fatal(err)
	}
	want = map[string]provision.Action{"PROTOCOL_REPLIES": provision.Created, "PROTOCOL_REPLIES > refunds": provision.Created, "PROTOCOL_REPLIES > console": provision.Created}
	if diff := cmp.Diff(want, actions(apply(t, js, o))); diff != "" {
		t.Error(diff)
	}
}

// A user who made a consumer for itself that also reads another's replies is named as the cause.
func TestRepliesWithAnotherReader(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	apply(t, js, o)
	if err := js.DeleteConsumer(t.Context(), "PROTOCOL_REPLIES", messages.ConsoleName); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), "PROTOCOL_REPLIES", jetstream.ConsumerConfig{Durable: "all", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	if r := apply(t, js, o); r.Differs() || actions(r)["PROTOCOL_REPLIES > console"] != provision.Taken {
		t.Errorf("of the page, whose watches alone need it: %v", actions(r))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := provision.Await(ctx, js, o); err != nil {
		t.Errorf("its copies are waited for: %v", err)
	}
	o.Readers.Askers = []string{"refunds"}
	if _, err := provision.Apply(t.Context(), js, o); !errors.Is(err, provision.ErrReadTwice) || !strings.Contains(err.Error(), "refunds of PROTOCOL_REPLIES") {
		t.Errorf("%v", err)
	}
}

// declared is a stream as declared.
func declared(t *testing.T, o provision.Options, kind messages.Kind) jetstream.StreamConfig {
	t.Helper()
	for _, s := range provision.Streams(o) {
		if s.Name == o.Names.Stream(kind) {
			return s
		}
	}
	t.Fatalf("no stream of %s", kind)
	return jetstream.StreamConfig{}
}
