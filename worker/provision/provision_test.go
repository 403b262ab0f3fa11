// What provisioning makes, reports and mends, on a real server in the test's own process.

package provision_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/provision"
)

func start(t *testing.T) jetstream.JetStream {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("server not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func options(t *testing.T, prefix string) provision.Options {
	t.Helper()
	names, err := messages.NewNames(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return provision.Options{Names: names}
}

func apply(t *testing.T, js jetstream.JetStream, o provision.Options) provision.Report {
	t.Helper()
	r, err := provision.Apply(t.Context(), js, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// actions are what was done, by name, for those that are not as declared.
func actions(r provision.Report) map[string]provision.Action {
	done := map[string]provision.Action{}
	for _, i := range r.Items {
		if i.Action != provision.AsIs {
			done[i.Name] = i.Action
		}
	}
	return done
}

func TestApplyMakesEverythingOnce(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	first := apply(t, js, o)
	if len(first.Items) != len(provision.Streams(o))+len(provision.Consumers(o)) || first.Differs() {
		t.Errorf("%+v", first)
	}
	for _, i := range first.Items {
		if i.Action != provision.Created || len(i.Differences) != 0 {
			t.Errorf("the first time: %+v", i)
		}
	}
	for _, update := range []bool{false, true} {
		o.Update = update
		if again := actions(apply(t, js, o)); len(again) != 0 {
			t.Errorf("the second time, update %v: %v", update, again)
		}
	}
	if other := apply(t, js, options(t, "acme.test")); len(actions(other)) != len(first.Items) {
		t.Errorf("a second fleet beside it: %+v", other)
	}
}

// What the design stands on, read back from the server.
func TestDeclaredRules(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	apply(t, js, o)
	config := func(k messages.Kind) jetstream.StreamConfig {
		s, err := js.Stream(t.Context(), o.Names.Stream(k))
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config
	}
	state, requests := config(messages.State), config(messages.Requests)
	if state.MaxMsgsPerSubject != 1 || !state.AllowMsgTTL || !state.AllowDirect || state.Discard != jetstream.DiscardNew || state.RePublish == nil {
		t.Errorf("records: %+v", state)
	}
	if requests.Retention != jetstream.WorkQueuePolicy || requests.Discard != jetstream.DiscardNew {
		t.Errorf("requests: %+v", requests)
	}
	if e := config(messages.Events); e.Discard != jetstream.DiscardOld {
		t.Errorf("an absent reader of events would stop the fleet: %+v", e)
	}
	for _, c := range []jetstream.StreamConfig{state, requests} {
		if c.MaxAge != 0 {
			t.Errorf("%s: work in progress is deleted after %v", c.Name, c.MaxAge)
		}
	}
	for _, want := range provision.Streams(o) {
		if c, err := js.Stream(t.Context(), want.Name); err != nil || c.CachedInfo().Config.Storage != jetstream.FileStorage || want.MaxBytes <= 0 {
			t.Errorf("%s: not on disk, or without a bound: %v", want.Name, err)
		}
	}
	for _, want := range provision.Consumers(o) {
		c, err := js.Consumer(t.Context(), want.Stream, want.Config.Durable)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.CachedInfo().Config; got.AckPolicy != jetstream.AckExplicitPolicy || got.MaxDeliver != -1 || got.AckWait != 12*time.Second {
			t.Errorf("%s: %+v", got.Durable, got)
		}
	}
}

func TestDifferencesAreNamedAndMended(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	apply(t, js, o)
	changeStream(t, js, "PROTOCOL_STATE", func(c *jetstream.StreamConfig) { c.MaxBytes, c.RePublish = 1<<20, nil })
	changeStream(t, js, "PROTOCOL_EVENTS", func(c *jetstream.StreamConfig) { c.Discard, c.MaxAge = jetstream.DiscardNew, time.Hour })
	c, err := js.Consumer(t.Context(), "PROTOCOL_REQUESTS", "asked")
	if err != nil {
		t.Fatal(err)
	}
	config := c.CachedInfo().Config
	config.AckWait, config.MaxAckPending = time.Minute, 7
	if _, err := js.UpdateConsumer(t.Context(), "PROTOCOL_REQUESTS", config); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PROTOCOL_EVENTS: discard DiscardNew, declared DiscardOld",
		"PROTOCOL_EVENTS: max_age 1h0m0s, declared 168h0m0s",
		"PROTOCOL_REQUESTS > asked: ack_wait 1m0s, declared 12s",
		"PROTOCOL_REQUESTS > asked: max_ack_pending 7, declared 50000",
		"PROTOCOL_STATE: max_bytes 1048576, declared 1073741824",
		"PROTOCOL_STATE: republish none, declared protocol.state.* to protocol.changed.{{wildcard(1)}}",
	}
	r := apply(t, js, o)
	if d := cmp.Diff(want, said(r)); d != "" || !r.Differs() {
		t.Errorf("reported: %s", d)
	}
	if again := apply(t, js, o); cmp.Diff(want, said(again)) != "" {
		t.Error("a report without update changed something")
	}
	o.Update = true
	mended := apply(t, js, o)
	three := map[string]provision.Action{"PROTOCOL_EVENTS": provision.Updated, "PROTOCOL_STATE": provision.Updated, "PROTOCOL_REQUESTS > asked": provision.Updated}
	if d := cmp.Diff(three, actions(mended)); d != "" || mended.Differs() || cmp.Diff(want, said(mended)) != "" {
		t.Errorf("mended: %s %v", d, said(mended))
	}
	o.Update = false
	if left := apply(t, js, o); left.Differs() || len(actions(left)) != 0 {
		t.Errorf("left after mending: %v", said(left))
	}
}

// What the server cannot change is an error that names the stream, and what is there stays.
func TestWhatCannotBeMended(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	want := provision.Streams(o)[0]
	want.Storage, want.Retention = jetstream.MemoryStorage, jetstream.LimitsPolicy
	if _, err := js.CreateStream(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if r := apply(t, js, o); !r.Differs() || !slices.Contains(said(r), "PROTOCOL_REQUESTS: storage Memory, declared File") {
		t.Errorf("%v", said(r))
	}
	o.Update = true
	if _, err := provision.Apply(t.Context(), js, o); err == nil || !strings.Contains(err.Error(), "PROTOCOL_REQUESTS") {
		t.Errorf("mending what cannot be: %v", err)
	}
}

// Other bounds are declared where they are asked for.
func TestOptionsReachTheServer(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	o.AckWait, o.StateBytes = 3*time.Second, 5<<20
	apply(t, js, o)
	plain := options(t, "protocol")
	r := apply(t, js, plain)
	for _, want := range []string{"PROTOCOL_STATE: max_bytes 5242880, declared 1073741824", "PROTOCOL_REQUESTS > submitted: ack_wait 3s, declared 12s"} {
		if !slices.Contains(said(r), want) {
			t.Errorf("%q is not in %v", want, said(r))
		}
	}
}

func TestServerAway(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := provision.Apply(ctx, js, o); err == nil || len(r.Items) != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

// said lists the differences, one a line.
func said(r provision.Report) []string {
	var lines []string
	for _, i := range r.Items {
		for _, d := range i.Differences {
			lines = append(lines, fmt.Sprintf("%s: %s %s, declared %s", i.Name, d.Setting, d.Have, d.Declared))
		}
	}
	slices.Sort(lines)
	return lines
}

func changeStream(t *testing.T, js jetstream.JetStream, name string, change func(*jetstream.StreamConfig)) {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	change(&c)
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}
