// What one asker may use of the stream into which all submit, on real servers.

package provision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/provision"
	stored "protocolq/worker/publish"
)

const partner, partner2 = "2088000000000001", "2088000000000002"

// However long its queries are, one asker for one partner gets half of the stream at most, and a
// backlog of 100,000 has room.
func TestShareOfSubmitted(t *testing.T) {
	s := declared(t, options(t, "protocol"), messages.Submitted)
	if n := s.MaxMsgsPerSubject; n < 100_000 || n*int64(s.MaxMsgSize) > s.MaxBytes/2 || !s.DiscardNewPerSubject {
		t.Errorf("%d messages of %d bytes for each subject, of %d bytes", n, s.MaxMsgSize, s.MaxBytes)
	}
}

// The largest possible query fits, with the headers of a dead letter that is sent again, in each
// encoding.
func TestLargestQueryCanBeSubmitted(t *testing.T) {
	const wide = "𠀋" // four bytes, printed as it is
	meta := map[string]string{}
	for i := range 16 {
		meta[string(rune('a'+i))] = strings.Repeat("m", 63)
	}
	age := int64(1)
	q := messages.Query{V: messages.Version, ID: strings.Repeat(wide, 128), Key: strings.Repeat(wide, 128), Partner: partner,
		UserEmail: strings.Repeat(wide, 88) + "@example.com", AccountNo: strings.Repeat("2", 20), BizType: messages.BizType,
		DeadlineMs: 9e12, ReplyTo: "protocol.reply." + strings.Repeat("r", 240), Meta: meta}
	if err := q.Check(); err != nil {
		t.Fatal(err)
	}
	for name, grow := range map[string]func(*messages.Query){"id": func(q *messages.Query) { q.ID += wide }, "key": func(q *messages.Query) { q.Key += wide },
		"user_email": func(q *messages.Query) { q.UserEmail = wide + q.UserEmail }, "account_no": func(q *messages.Query) { q.AccountNo += "2" },
		"max_age_ms": func(q *messages.Query) { q.MaxAgeMs = &age }, "reply_to": func(q *messages.Query) { q.ReplyTo += "r" }, "meta": func(q *messages.Query) { q.Meta = map[string]string{"a": strings.Repeat("m", 257)} }} {
		larger := q
		if grow(&larger); larger.Check() == nil {
			t.Errorf("%s can be larger", name)
		}
	}
	const headers = 1 << 10 // Nats-Msg-Id, trace, and what a dead letter brings, some 700 bytes
	most := int(declared(t, options(t, "protocol"), messages.Submitted).MaxMsgSize)
	for _, e := range []messages.Encoding{messages.JSON, messages.MsgPack} {
		if body, err := q.Encode(e); err != nil || len(body)+headers > most {
			t.Errorf("%d bytes as %s, at most %d with headers: %v", len(body), e, most, err)
		}
	}
}

// One asker submits without end: it is refused, while all others can still submit, and so can
// itself for another partner.
func TestOneAskerLeavesRoomForOthers(t *testing.T) {
	t.Run("a server", func(t *testing.T) {
		js, o := start(t), options(t, "protocol")
		apply(t, js, o)
		fillShare(t, js, o.Names, int(declared(t, o, messages.Submitted).MaxMsgsPerSubject))
	})
	t.Run("a cluster", func(t *testing.T) {
		js, o := cluster(t), options(t, "protocol")
		o.Replicas = 3
		apply(t, js, o)
		const few = 100
		changeStream(t, js, o.Names.Stream(messages.Submitted), func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = few })
		fillShare(t, js, o.Names, few)
	})
}

// fillShare submits as the asker greedy until it is refused, which must happen after so many
// queries.
func fillShare(t *testing.T, js jetstream.JetStream, names messages.Names, share int) {
	t.Helper()
	greedy := names.SubmitOf(partner, "greedy")
	for range share {
		if _, err := js.PublishAsync(greedy, []byte("a query"), jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	if s, err := js.Stream(t.Context(), names.Stream(messages.Submitted)); err != nil || s.CachedInfo().State.Msgs != uint64(share) {
		t.Fatalf("not all of %d are stored: %v", share, err)
	}
	if _, err := js.Publish(t.Context(), greedy, []byte("one more")); !stored.Full(err) || !strings.Contains(err.Error(), "per subject") {
		t.Errorf("one more than its share: %v", err)
	}
	if _, err := js.Publish(t.Context(), names.SubmitOf(partner2, "greedy"), make([]byte, 4<<10+1)); !stored.Permanent(err) {
		t.Errorf("more than any query takes: %v", err)
	}
	for _, subject := range []string{names.SubmitOf(partner, "modest"), names.SubmitOf(partner2, "greedy"), names.SubmitOf(partner, ""), names.Submit(), names.Redrive(partner), names.Forget()} {
		mayPublish(t, js, subject)
	}
}

func mayPublish(t *testing.T, js jetstream.JetStream, subject string) {
	t.Helper()
	if _, err := js.Publish(t.Context(), subject, []byte("a query")); err != nil {
		t.Errorf("%s is kept out, too: %v", subject, err)
	}
}

// A stream of a fleet of version 0.1 has no share for each asker. It gets one if that takes nothing
// away.
func TestShareOfAnEarlierVersion(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	old := declared(t, o, messages.Submitted)
	old.MaxBytes, old.MaxMsgSize, old.MaxMsgsPerSubject, old.DiscardNewPerSubject = 256<<20, -1, -1, false
	if _, err := js.CreateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	want := declared(t, o, messages.Submitted)
	greedy, half := o.Names.SubmitOf(partner, "greedy"), int(want.MaxMsgsPerSubject)/2
	for range half + 1 {
		if _, err := js.PublishAsync(greedy, nil, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	o.Update = true
	if a := actions(apply(t, js, o))[old.Name]; a != provision.Differs {
		t.Errorf("with more than half of a share waiting: %v", a)
	}
	if c := config(t, js, old.Name); c.MaxMsgsPerSubject != -1 || c.DiscardNewPerSubject || c.MaxBytes != want.MaxBytes || c.MaxMsgSize != want.MaxMsgSize {
		t.Errorf("%+v", c)
	}
	s, err := js.Stream(t.Context(), old.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if a := actions(apply(t, js, o))[old.Name]; a != provision.Updated {
		t.Errorf("with half of a share waiting: %v", a)
	}
	info, err := s.Info(t.Context())
	if err != nil || int(info.State.Msgs) != half || info.Config.MaxMsgsPerSubject != want.MaxMsgsPerSubject || !info.Config.DiscardNewPerSubject {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := js.Publish(t.Context(), greedy, make([]byte, 5<<10)); !errors.As(err, new(*jetstream.APIError)) {
		t.Errorf("a longer message: %v", err)
	}
}
