// What provisioning makes, reports and repairs, on a real server in the test's own process.

package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
)

func start(t *testing.T) jetstream.JetStream {
	t.Helper()
	_, js := natstest.JetStream(t)
	return js
}

// serve is a server for one test, with JetStream.
func serve(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	o.JetStream = true
	return natstest.Serve(t, *o)
}

func connect(t *testing.T, srv *server.Server) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(natstest.Connect(t, srv))
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

// actions are the actions by name, for items that are not as declared.
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

// Settings that the design relies on, read back from the server.
func TestDeclaredRules(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	apply(t, js, o)
	for _, k := range messages.Kinds() {
		s, err := js.Stream(t.Context(), o.Names.Stream(k))
		if err != nil {
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		if c.Storage != jetstream.FileStorage || c.MaxBytes <= 0 || c.Description == "" || !slices.Equal(c.Subjects, o.Names.Captures(k)) {
			t.Errorf("%s: %+v", k, c)
		}
		told := slices.Contains([]messages.Kind{messages.Replies, messages.Events, messages.Log, messages.Dead}, k)
		if told && c.Duplicates != 10*time.Minute || k == messages.Submitted && c.Duplicates != 100*time.Millisecond {
			t.Errorf("%s drops what comes again for %v", k, c.Duplicates)
		}
		queue := k == messages.Submitted || k == messages.Log || k == messages.Replies
		if queue != (c.Retention == jetstream.WorkQueuePolicy) || c.MaxAge != 0 && !told {
			t.Errorf("%s: %v, gone after %v", k, c.Retention, c.MaxAge)
		}
		if full := c.Discard == jetstream.DiscardNew; full == (k == messages.Events) {
			t.Errorf("%s refuses what is too much: %v", k, full)
		}
		if shared := k == messages.Journal || k == messages.Fleet; shared != (c.RePublish != nil) || shared && !c.AllowDirect {
			t.Errorf("%s: %+v", k, c)
		}
		if one := c.MaxMsgsPerSubject == 1; one != (k == messages.Fleet) {
			t.Errorf("%s keeps one message a subject: %v", k, one)
		}
	}
	if c := config(t, js, "PROTOCOL_WATCHES"); !c.AllowMsgSchedules || c.Discard != jetstream.DiscardOld || c.MaxBytes != 32<<20 || c.MaxAge != provision.WatchAge || c.MaxMsgsPerSubject != 1 {
		t.Errorf("%+v", c)
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

// A stream from before the intake record lacks its subject; its halts stay.
func TestIntakeRecordIsAdded(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	for _, c := range provision.Streams(o) {
		if c.Name == o.Names.Stream(messages.Fleet) {
			c.Subjects = c.Subjects[:1]
			if _, err := js.CreateStream(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(t, js, o.Names.Partner("2088000000000001", "halt"), "halted")
	want := []string{"PROTOCOL_FLEET: subjects protocol.partner.*.*, declared protocol.alerts protocol.intake protocol.partner.*.*"}
	if r := apply(t, js, o); !r.Differs() || !cmp.Equal(want, said(r)) {
		t.Errorf("%v, want %v", said(r), want)
	}
	o.Update = true
	if r := apply(t, js, o); r.Differs() {
		t.Errorf("%+v", r)
	}
	publish(t, js, o.Names.Intake(), "paused")
	held := map[string]string{"protocol.partner.2088000000000001.halt": "halted", "protocol.intake": "paused"}
	if diff := cmp.Diff(held, in(t, js, o.Names.Stream(messages.Fleet))); diff != "" {
		t.Error(diff)
	}
}

func TestDifferencesAreNamedAndMended(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	apply(t, js, o)
	changeStream(t, js, "PROTOCOL_FLEET", func(c *jetstream.StreamConfig) { c.MaxBytes, c.RePublish = 1<<20, nil })
	changeStream(t, js, "PROTOCOL_EVENTS", func(c *jetstream.StreamConfig) { c.Discard, c.MaxAge = jetstream.DiscardNew, time.Hour })
	c, err := js.Consumer(t.Context(), "PROTOCOL_SUBMITTED", "submitted")
	if err != nil {
		t.Fatal(err)
	}
	config := c.CachedInfo().Config
	config.AckWait, config.MaxAckPending = time.Minute, 7
	if _, err := js.UpdateConsumer(t.Context(), "PROTOCOL_SUBMITTED", config); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PROTOCOL_EVENTS: discard DiscardNew, declared DiscardOld",
		"PROTOCOL_EVENTS: max_age 1h0m0s, declared 168h0m0s",
		"PROTOCOL_FLEET: max_bytes 1048576, declared 16777216",
		"PROTOCOL_FLEET: republish none, declared protocol.partner.*.* to protocol.changed.{{wildcard(1)}}.{{wildcard(2)}}",
		"PROTOCOL_SUBMITTED > submitted: ack_wait 1m0s, declared 12s",
		"PROTOCOL_SUBMITTED > submitted: max_ack_pending 7, declared -1",
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
	three := map[string]provision.Action{"PROTOCOL_EVENTS": provision.Updated, "PROTOCOL_FLEET": provision.Updated, "PROTOCOL_SUBMITTED > submitted": provision.Updated}
	if d := cmp.Diff(three, actions(mended)); d != "" || mended.Differs() || cmp.Diff(want, said(mended)) != "" {
		t.Errorf("mended: %s %v", d, said(mended))
	}
	o.Update = false
	if left := apply(t, js, o); left.Differs() || len(actions(left)) != 0 {
		t.Errorf("left after mending: %v", said(left))
	}
}

// Other bounds are declared if they are asked for.
// Two prefixes may give one name of a stream. The second fleet takes nothing from the first.
func TestPrefixOfAnotherFleet(t *testing.T) {
	js, o := start(t), options(t, "pay.prod")
	apply(t, js, o)
	publish(t, js, "pay.prod.submit", "waits")
	for _, prefix := range []string{"pay_prod", "Pay.prod"} {
		other := options(t, prefix)
		other.Update = true
		r, err := provision.Apply(t.Context(), js, other)
		if !errors.Is(err, provision.ErrOtherPrefix) || !strings.Contains(err.Error(), "PAY_PROD_") || len(r.Items) > 0 {
			t.Errorf("%s: %+v, %v", prefix, r, err)
		}
	}
	if r := apply(t, js, o); r.Differs() {
		t.Errorf("%+v", r)
	}
	publish(t, js, "pay.prod.submit", "waits, too")
}

func TestOptionsReachTheServer(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	o.AckWait, o.JournalBytes = 3*time.Second, 5<<20
	apply(t, js, o)
	plain := options(t, "protocol")
	r := apply(t, js, plain)
	for _, want := range []string{"PROTOCOL_SUBMITTED > submitted: ack_wait 3s, declared 12s", "PROTOCOL_LOG > recorder: ack_wait 3s, declared 12s"} {
		if !slices.Contains(said(r), want) {
			t.Errorf("%q is not in %v", want, said(r))
		}
	}
	if n := config(t, js, "PROTOCOL_JOURNAL").MaxBytes; n != 5<<20 {
		t.Errorf("the log has room for %d bytes", n)
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

// said lists the differences, one on each line.
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

func config(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func changeStream(t *testing.T, js jetstream.JetStream, name string, change func(*jetstream.StreamConfig)) {
	t.Helper()
	c := config(t, js, name)
	change(&c)
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}
