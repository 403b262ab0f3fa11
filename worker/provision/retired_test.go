// How provisioning takes over from an earlier version, on a real server.

package provision_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/provision"
)

// The streams of an earlier deployment, and the consumers of what waits in them.
var earlier = []struct {
	config    jetstream.StreamConfig
	consumers map[string][]string // their filters
}{
	{jetstream.StreamConfig{Name: "PROTOCOL_REQUESTS", Subjects: []string{"protocol.request.*", "protocol.submit", "protocol.submit.>"}, Retention: jetstream.WorkQueuePolicy},
		map[string][]string{"asked": {"protocol.request.*"}, "submitted": {"protocol.submit", "protocol.submit.>"}}},
	{jetstream.StreamConfig{Name: "PROTOCOL_WAITING", Subjects: []string{"protocol.wait.*"}, Retention: jetstream.WorkQueuePolicy},
		map[string][]string{"waiting": {"protocol.wait.*"}}},
	{jetstream.StreamConfig{Name: "PROTOCOL_PARTNERS", Subjects: []string{"protocol.partner.*.*"}, MaxMsgsPerSubject: 1, AllowDirect: true,
		RePublish: &jetstream.RePublish{Source: "protocol.partner.*.*", Destination: "protocol.changed.{{wildcard(1)}}.{{wildcard(2)}}"}}, nil},
	{jetstream.StreamConfig{Name: "PROTOCOL_STATE", Subjects: []string{"protocol.state.*"}, MaxMsgsPerSubject: 1, AllowMsgTTL: true, AllowDirect: true,
		RePublish: &jetstream.RePublish{Source: "protocol.state.*", Destination: "protocol.changed.{{wildcard(1)}}"}}, nil},
}

const (
	request = "protocol.request.ota7c0eq15s636ogp5iigicor0"
	waiting = "protocol.wait.2088000000000001"
)

// deployEarlier makes an earlier deployment, with halts and a record, whose queries are all
// answered.
func deployEarlier(t *testing.T, js jetstream.JetStream, o provision.Options) {
	t.Helper()
	for _, e := range earlier {
		if _, err := js.CreateStream(t.Context(), e.config); err != nil {
			t.Fatal(err)
		}
		for name, filters := range e.consumers {
			if _, err := js.CreateConsumer(t.Context(), e.config.Name, jetstream.ConsumerConfig{Durable: name, FilterSubjects: filters, AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(t, js, "protocol.state.ota7c0eq15s636ogp5iigicor0", "a record")
	publish(t, js, o.Names.Partner("2088000000000001", "halt"), "open")
	publish(t, js, o.Names.Partner("2088000000000001", "halt"), "halted")
	publish(t, js, o.Names.Partner("2088000000000002", "halt"), "halted, too")
	publish(t, js, o.Names.Partner("2088000000000002", "rate"), "a reservation")
}

func publish(t *testing.T, js jetstream.JetStream, subject, data string) {
	t.Helper()
	if _, err := js.Publish(t.Context(), subject, []byte(data)); err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
}

// in is the content of a stream, by subject.
func in(t *testing.T, js jetstream.JetStream, stream string) map[string]string {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	for subject := range info.State.Subjects {
		m, err := s.GetLastMsgForSubject(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		held[subject] = string(m.Data)
	}
	return held
}

// answer takes one query from a stream of the earlier version, as its workers do.
func answer(t *testing.T, js jetstream.JetStream, stream, consumer string) {
	t.Helper()
	c, err := js.Consumer(t.Context(), stream, consumer)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// captured are the streams of the server and their subjects.
func captured(t *testing.T, js jetstream.JetStream) map[string]string {
	t.Helper()
	all := map[string]string{}
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		all[info.Config.Name] = strings.Join(info.Config.Subjects, " ")
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTakesOver(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	deployEarlier(t, js, o)
	before := captured(t, js)
	for _, waits := range []struct{ subject, stream, consumer string }{
		{o.Names.Submit(), "PROTOCOL_REQUESTS", "submitted"},
		{request, "PROTOCOL_REQUESTS", "asked"},
		{waiting, "PROTOCOL_WAITING", "waiting"},
	} {
		o.Update = true
		publish(t, js, waits.subject, "a query")
		within(t, "the server counts it", func() error {
			c, err := js.Consumer(t.Context(), waits.stream, waits.consumer)
			if err == nil && c.CachedInfo().NumPending == 0 {
				err = errors.New("nothing waits")
			}
			return err
		})
		if _, err := provision.Apply(t.Context(), js, o); !errors.Is(err, provision.ErrWaiting) || !strings.Contains(err.Error(), "1 in "+waits.stream) {
			t.Errorf("while a query waits: %v", err)
		}
		answer(t, js, waits.stream, waits.consumer)
	}
	o.Update = false
	r, err := provision.Apply(t.Context(), js, o)
	want := []string{
		"PROTOCOL_PARTNERS: subjects protocol.partner.*.*, declared protocol.unused.partner",
		"PROTOCOL_REQUESTS: subjects protocol.request.* protocol.submit protocol.submit.>, declared protocol.request.*",
	}
	if diff := cmp.Diff(want, said(r)); diff != "" || !errors.Is(err, provision.ErrTakeOver) || !r.Differs() {
		t.Errorf("without update: %v\n%s", err, diff)
	}
	if diff := cmp.Diff(before, captured(t, js)); diff != "" {
		t.Errorf("what refuses to take over changes something\n%s", diff)
	}
	o.Update = true
	wantTakenOver(t, js, o, apply(t, js, o))

	// A newer record wins over one that is taken over.
	publish(t, js, o.Names.Partner("2088000000000001", "halt"), "resumed")
	o.Update = false
	again := apply(t, js, o)
	if diff := cmp.Diff(unused, actions(again)); diff != "" || len(said(again)) != 0 {
		t.Errorf("the second time: %s %v", diff, said(again))
	}
	if got := in(t, js, "PROTOCOL_FLEET")[o.Names.Partner("2088000000000001", "halt")]; got != "resumed" {
		t.Errorf("the halt is %q", got)
	}
}

var unused = map[string]provision.Action{
	"PROTOCOL_REQUESTS": provision.Unused, "PROTOCOL_WAITING": provision.Unused, "PROTOCOL_STATE": provision.Unused, "PROTOCOL_PARTNERS": provision.Unused,
}

func wantTakenOver(t *testing.T, js jetstream.JetStream, o provision.Options, r provision.Report) {
	t.Helper()
	left := 0
	for _, i := range r.Items {
		if i.Action == provision.Unused {
			left++
			if i.Remove != "nats stream rm "+i.Name {
				t.Errorf("%s is removed by %q", i.Name, i.Remove)
			}
		}
	}
	if done := actions(r); left != len(unused) || done["PROTOCOL_JOURNAL"] != provision.Created || r.Differs() {
		t.Errorf("taken over: %v", done)
	}
	halts := map[string]string{o.Names.Partner("2088000000000001", "halt"): "halted", o.Names.Partner("2088000000000002", "halt"): "halted, too"}
	if diff := cmp.Diff(halts, in(t, js, "PROTOCOL_FLEET")); diff != "" {
		t.Errorf("halts\n%s", diff)
	}
	for subject := range halts {
		if actions(r)["PROTOCOL_FLEET < "+subject] != provision.Carried {
			t.Errorf("it is not said that %s was carried over", subject)
		}
	}
	publish(t, js, o.Names.Submit(), "a query")
	if got := in(t, js, "PROTOCOL_SUBMITTED"); len(got) != 1 {
		t.Errorf("submitted: %v", got)
	}
	if got := in(t, js, "PROTOCOL_STATE"); len(got) != 1 {
		t.Errorf("something was deleted: %v", got)
	}
}

// racing lets something happen before a stream is changed.
type racing struct {
	jetstream.JetStream
	before func()
}

func (r *racing) UpdateStream(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
	if do := r.before; do != nil {
		r.before = nil
		do()
	}
	return r.JetStream.UpdateStream(ctx, c)
}

// A query that comes while the streams are narrowed is not lost: its workers can still answer it.
func TestTakesOverUnderTraffic(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	deployEarlier(t, js, o)
	o.Update = true
	r, err := provision.Apply(t.Context(), &racing{js, func() { publish(t, js, o.Names.Submit(), "late") }}, o)
	if !errors.Is(err, provision.ErrWaiting) {
		t.Fatalf("%v", err)
	}
	for _, i := range r.Items {
		if i.Remove != "" {
			t.Errorf("who follows %q loses a query", i.Remove)
		}
	}
	if got := in(t, js, "PROTOCOL_REQUESTS")[o.Names.Submit()]; got != "late" {
		t.Errorf("it holds %q", got)
	}
	answer(t, js, "PROTOCOL_REQUESTS", "submitted")
	apply(t, js, o)
}
