// Faulty messages: they cost no call, get one reply, and nothing is lost.

package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

func TestBadInput(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	tests := []struct {
		name, subject, body string
		code, says          string
	}{
		{"empty", "protocol.query", "", "BAD_REQUEST", ""},
		{"not a map", "protocol.query", "hello", "BAD_REQUEST", ""},
		{"msgpack bomb", "protocol.query", "\x81\xa1a\xdd\xff\xff\xff\xff", "BAD_REQUEST", ""},
		{"no account", "protocol.query", `{"id":"a"}`, "BAD_REQUEST", "user_email"},
		{"unknown field", "protocol.query", `{"user_email":"a@b.cn","max_age":5}`, "BAD_REQUEST", "max_age"},
		{"biz_type", "protocol.query", `{"user_email":"a@b.cn","biz_type":"10005"}`, "BAD_REQUEST", "biz_type"},
		{"partner not served", "protocol.query", `{"user_email":"a@b.cn","partner":"2088999999999999"}`, "NOT_ALLOWED", "partner"},
		{"partner not the subject's", "protocol.query." + partner, `{"user_email":"a@b.cn","partner":"` + partner2 + `"}`, "NOT_ALLOWED", "partner"},
		{"reply_to of our own", "protocol.query", `{"user_email":"a@b.cn","reply_to":"protocol.journal.x"}`, "REPLY_REFUSED", "reply_to"},
		{"too large", "protocol.query", `{"user_email":"` + strings.Repeat("a", 70_000) + `"}`, "TOO_LARGE", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := f.nc.Request(tt.subject, []byte(tt.body), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
			if err != nil || r.Outcome != messages.Refused || r.Code != tt.code || !strings.Contains(r.Message, tt.says) || r.Retryable {
				t.Errorf("%s, %v", refusal(r), err)
			}
			if m.Header.Get(messages.HeaderServiceErrorCode) == "" || m.Header.Get(messages.HeaderServiceError) != tt.code {
				t.Errorf("headers %v", m.Header)
			}
		})
	}
	f.wantCalls(0)
	f.wantRest()
}

// Replies never go to subjects that a worker may publish to and the asker may not.
func TestReplyAttacks(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start(func(o *worker.Options) { o.OwnInboxes = []string{"_INBOX_wk"} })
	dead := f.letters()
	attacks := []string{"$JS.API.STREAM.DELETE.PROTOCOL_JOURNAL", "$SYS.x", "protocol.query", "protocol.journal.AAAA",
		"protocol.member.x", "_INBOX_wk.abc", "other.subject"} // the server itself refuses $JS.ACK, _R_ and _GR_
	for _, to := range attacks {
		heard, err := f.nc.SubscribeSync(to)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := messages.Query{UserEmail: "signed@example.com"}.Encode(messages.MsgPack)
		if err := f.nc.PublishRequest("protocol.query", to, body); err != nil {
			t.Fatal(err)
		}
		if to == "protocol.query" { // the worker listens there and gets the question back, too
			continue
		}
		if m, err := heard.NextMsg(50 * time.Millisecond); err == nil {
			t.Errorf("%s was published to: %s", to, m.Data)
		}
	}
	within(t, "a dead letter for each", func() bool { return dead() == uint64(len(attacks)) })
	if _, err := f.js.Stream(t.Context(), f.names.Stream(messages.Journal)); err != nil {
		t.Error(err)
	}
	f.wantCalls(0)
}

// letters counts the dead letters.
func (f *fleet) letters() func() uint64 {
	return func() uint64 {
		s, err := f.js.Stream(f.t.Context(), f.names.Stream(messages.Dead))
		if err != nil {
			f.t.Fatal(err)
		}
		return s.CachedInfo().State.Msgs
	}
}

func TestUnreadableWithoutReplyIsDeadLetter(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	w := f.start()
	dead := f.letters()
	for _, subject := range []string{f.names.Query(), f.names.Submit()} {
		if err := f.nc.PublishMsg(&nats.Msg{Subject: subject, Data: []byte("garbage")}); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "two dead letters", func() bool { return dead() == 2 })
	c, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Dead), jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject() != "protocol.dead.unreadable" || string(m.Data()) != "garbage" || m.Headers().Get(messages.HeaderReason) == "" {
		t.Errorf("%s %v %s", m.Subject(), m.Headers(), m.Data())
	}
	within(t, "two refused and two dead ones are counted", func() bool { s := w.Stats(); return s.Refused == 2 && s.Dead == 2 })
	f.wantRest()
}

// The sender of an invalid header gets a reply that names it; a stored message with one becomes a
// dead letter.
func TestBadHeaders(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	body := packed(t, messages.Query{ID: "mine", UserEmail: "signed@example.com"})
	m, err := f.nc.RequestMsg(&nats.Msg{Subject: f.names.Query(), Data: body, Header: nats.Header{messages.HeaderContentType: {string(messages.MsgPack), string(messages.JSON)}}}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	if err != nil || r.ID != "mine" || r.Outcome != messages.Refused || r.Code != messages.BadRequest || !strings.HasPrefix(r.Message, "Content-Type: is given 2 times") {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = f.js.PublishMsg(t.Context(), &nats.Msg{Subject: f.names.Submit(), Data: body, Header: nats.Header{
		messages.HeaderContentType: {string(messages.MsgPack), string(messages.JSON)}}})
	if err != nil {
		t.Fatal(err)
	}
	dead := f.letters()
	within(t, "a dead letter", func() bool { return dead() == 1 })
	f.wantCalls(0)
	f.wantRest()
}
