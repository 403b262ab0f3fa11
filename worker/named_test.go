// Askers with names: what each has for itself, over a real server.

package worker_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// An asker that submits under its name without a reply_to gets its replies under its name, also
// remembered answers. No asker can have anything put among another's replies.
func TestRepliesOfANamedAsker(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	shop := f.names.SubmitOf(partner, "shop")
	q := messages.Query{ID: "first", UserEmail: email("signed", "named")}
	f.submitted(shop, q)
	within(t, "a reply", func() bool { return f.stream(messages.Replies).Msgs == 1 })
	q.ID = "again"
	f.submitted(shop, q)
	within(t, "another", func() bool { return f.stream(messages.Replies).Msgs == 2 })
	q.ID, q.ReplyTo = "planted", f.names.ReplyOf("till")
	f.submitted(shop, q)
	within(t, "a refusal", func() bool { return f.stream(messages.Replies).Msgs == 3 })
	for i, want := range []struct{ id, outcome, code string }{
		{"first", "signed", ""}, {"again", "signed", ""}, {"planted", "refused", messages.ReplyRefused},
	} {
		if r := f.durableReply(uint64(i + 1)); r.ID != want.id || string(r.Outcome) != want.outcome || r.Code != want.code {
			t.Errorf("%d: %+v", i, r)
		}
	}
	m, err := f.nc.Request(f.names.QueryOf(partner)+".shop", packed(t, q), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if r, _, err := messages.DecodeResult(m.Data, ""); err != nil || r.Code != messages.ReplyRefused {
		t.Errorf("%+v, %v", r, err)
	}
	if n := f.storedOn(messages.Replies, f.names.ReplyOf("till")); n != 0 {
		t.Errorf("%d replies were put among those of another", n)
	}
	if n := f.storedOn(messages.Replies, f.names.ReplyOf("shop")); n != 3 {
		t.Errorf("%d replies of its own, want 3", n)
	}
	f.wantCalls(1)
	f.wantRest()
}

// submitted publishes a query into its stream.
func (f *fleet) submitted(subject string, q messages.Query, header ...string) {
	f.t.Helper()
	m := &nats.Msg{Subject: subject, Data: packed(f.t, q), Header: nats.Header{}}
	for i := 0; i < len(header); i += 2 {
		m.Header[header[i]] = []string{header[i+1]}
	}
	if _, err := f.js.PublishMsg(f.t.Context(), m); err != nil {
		f.t.Fatal(err)
	}
}

// storedOn counts the messages of a stream on one subject.
func (f *fleet) storedOn(kind messages.Kind, subject string) uint64 {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(kind))
	if err != nil {
		f.t.Fatal(err)
	}
	info, err := s.Info(f.t.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		f.t.Fatal(err)
	}
	return info.State.Subjects[subject]
}

// Message ids and keys belong to each asker: no asker can take another's place with them.
func TestIDsOfAnotherAsker(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	store := func(subject string, q messages.Query) {
		within(t, "the server takes it", func() bool {
			m := &nats.Msg{Subject: subject, Data: packed(t, q), Header: nats.Header{messages.HeaderMsgID: {"order-17"}}}
			ack, err := f.js.PublishMsg(t.Context(), m)
			return err == nil && !ack.Duplicate
		})
	}
	store(f.names.SubmitOf(partner, "rival"), messages.Query{UserEmail: email("not-signed", "rival"), Key: "refund-17"})
	store(f.names.SubmitOf(partner, "shop"), messages.Query{UserEmail: email("signed", "shop"), Key: "refund-17"})
	store(f.names.SubmitOf(partner, "shop"), messages.Query{UserEmail: email("signed", "shop"), Key: "refund-17"}) // its acknowledgement was lost
	f.wantRest()
	if n := f.stream(messages.Replies).Msgs; n != 2 {
		t.Fatalf("%d replies, want 2", n)
	}
	for i := range uint64(2) {
		if r := f.durableReply(i + 1); r.ID != "order-17" || r.Outcome == messages.Refused {
			t.Errorf("%+v", r)
		}
	}
	f.wantCalls(2)
}
