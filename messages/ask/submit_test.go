// Submitting, to a real stream and to stand-ins whose acknowledgements get lost.

package ask_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/natstest"
)

func newStream(t *testing.T, nc *nats.Conn, c jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.CreateStream(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSubmitIsStoredOnce(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{JetStream: true}))
	stream := newStream(t, nc, jetstream.StreamConfig{Name: "PROTOCOL_SUBMITTED", Subjects: []string{"protocol.submit", "protocol.submit.>"}})
	q := question
	q.ID, q.ReplyTo = "mine", "protocol.reply.me"
	want := ask.Ack{ID: "mine", Stream: "PROTOCOL_SUBMITTED", Sequence: 1}
	if got, err := ask.Submit(within(t, 10*time.Second), nc, q); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	q.ID, q.Partner = "", partner
	o := calm
	o.Asker = "booking"
	var refusal *messages.Error
	if got, err := newClient(t, nc, o).Submit(within(t, 10*time.Second), q); !errors.As(err, &refusal) || refusal.Code != messages.ReplyRefused {
		t.Fatalf("a reply to another: %+v, %v", got, err)
	}
	q.ReplyTo = "protocol.reply.booking.7"
	got, err := newClient(t, nc, o).Submit(within(t, 10*time.Second), q)
	if err != nil || got.ID == "" || got.Sequence != 2 || got.Duplicate {
		t.Fatalf("%+v, %v", got, err)
	}
	m, err := stream.GetMsg(t.Context(), 2)
	if err != nil || m.Subject != "protocol.submit."+partner+".booking" || len(m.Header.Get(messages.HeaderMsgID)) < 26 {
		t.Errorf("%+v, %v", m, err)
	}
	if stored, _, err := messages.DecodeQuery(m.Data, m.Header.Get(messages.HeaderContentType)); err != nil || stored.ID != got.ID || stored.ReplyTo != q.ReplyTo {
		t.Errorf("%+v, %v", stored, err)
	}
}

// An asker with a name gets replies under it, even if its subject does not have the name.
func TestSubmitUnderAName(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{JetStream: true}))
	stream := newStream(t, nc, jetstream.StreamConfig{Name: "PROTOCOL_SUBMITTED", Subjects: []string{"protocol.submit", "protocol.submit.>"}})
	o := calm
	o.Asker, o.Trace = "booking", func(context.Context) string { return trace }
	c := newClient(t, nc, o)
	for i, want := range []struct{ partner, given, subject, replyTo string }{
		{"", "", "protocol.submit", "protocol.reply.booking"},
		{"", "protocol.reply.booking.7", "protocol.submit", "protocol.reply.booking.7"},
		{partner, "", "protocol.submit." + partner + ".booking", ""},
	} {
		q := question
		q.Partner, q.ReplyTo = want.partner, want.given
		if _, err := c.Submit(within(t, 10*time.Second), q); err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		stored, _, err := messages.DecodeQuery(m.Data, "")
		if err != nil || m.Subject != want.subject || stored.ReplyTo != want.replyTo || m.Header.Get(messages.Traceparent) != trace {
			t.Errorf("%d: %s, %+v, %v", i, m.Subject, stored, err)
		}
	}
}

// A query that is submitted again under its id is stored, whoever has used that id: no program can
// keep it out, and an asker that got unknown can ask again.
func TestSubmitOnceMore(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{JetStream: true}))
	stream := newStream(t, nc, jetstream.StreamConfig{Name: "PROTOCOL_SUBMITTED", Subjects: []string{"protocol.submit", "protocol.submit.>"}})
	q := question
	q.ID = "1"
	var ids [2]string
	for i := range ids {
		got, err := ask.Submit(within(t, 10*time.Second), nc, q)
		if want := (ask.Ack{ID: "1", Stream: "PROTOCOL_SUBMITTED", Sequence: uint64(i + 1)}); err != nil || got != want {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
		m, err := stream.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = m.Header.Get(messages.HeaderMsgID)
	}
	if ids[0] == ids[1] || strings.Contains(ids[0], q.ID+"/") {
		t.Errorf("message ids that can be guessed: %q", ids)
	}
}

// A stream that refuses because it is full is tried until it has room.
func TestSubmitWaitsForRoom(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{JetStream: true}))
	stream := newStream(t, nc, jetstream.StreamConfig{Name: "PROTOCOL_SUBMITTED", Subjects: []string{"protocol.submit"}, MaxMsgs: 1, Discard: jetstream.DiscardNew})
	c := newClient(t, nc, quick)
	if _, err := c.Submit(within(t, 10*time.Second), question); err != nil {
		t.Fatal(err)
	}
	_, err := c.Submit(within(t, 100*time.Millisecond), question)
	if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != 10077 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("full: error %v", err)
	}
	stored := make(chan error, 1)
	go func() {
		_, err := c.Submit(within(t, 10*time.Second), question)
		stored <- err
	}()
	for { // more than once: the last message from above may not be stored yet
		if err := stream.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-stored:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// FailFast reports at once that there are no responders, or no room.
func TestFailFast(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{JetStream: true}))
	o := quick
	o.FailFast = true
	c := newClient(t, nc, o)
	ctx := within(t, 10*time.Second)
	if _, err := c.Ask(ctx, question); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("no worker: error %v", err)
	}
	if _, err := c.Submit(ctx, question); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("no stream: error %v", err)
	}
	if ctx.Err() != nil {
		t.Error("waited for somebody")
	}
	newStream(t, nc, jetstream.StreamConfig{Name: "PROTOCOL_SUBMITTED", Subjects: []string{"protocol.submit"}, MaxMsgs: 1, Discard: jetstream.DiscardNew})
	if _, err := c.Submit(ctx, question); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(ctx, question); ctx.Err() != nil {
		t.Error("waited for room")
	} else if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != 10077 {
		t.Errorf("full: error %v", err)
	}
}

// A server that is too busy for its stream is asked again, and with FailFast not.
func TestSubmitToABusyServer(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{}))
	var tries atomic.Int64
	sub, err := nc.Subscribe("protocol.submit", func(m *nats.Msg) {
		word := `{"error":{"code":429,"err_code":10167,"description":"too many requests"}}`
		if tries.Add(1)%3 == 0 {
			word = `{"stream":"PROTOCOL_SUBMITTED","seq":1}`
		}
		_ = m.Respond([]byte(word))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	a, err := newClient(t, nc, quick).Submit(within(t, 10*time.Second), question)
	if err != nil || a.Sequence != 1 || tries.Load() != 3 {
		t.Errorf("%+v, %v after %d tries", a, err, tries.Load())
	}
	o := quick
	o.FailFast = true
	_, err = newClient(t, nc, o).Submit(within(t, 10*time.Second), question)
	if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != 10167 || tries.Load() != 4 {
		t.Errorf("with FailFast: %v after %d tries", err, tries.Load())
	}
}

func TestSubmitErrors(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{}))
	c := newClient(t, nc, quick)
	if _, err := newClient(t, nc, ask.Options{}).Submit(within(t, 100*time.Millisecond), question); !errors.Is(err, nats.ErrNoResponders) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no stream: error %v", err)
	}
	for field, q := range map[string]messages.Query{"user_email": {}, "reply_to": {UserEmail: "signed@example.com", ReplyTo: "protocol.query"}} {
		_, err := c.Submit(t.Context(), q)
		if refusal, ok := errors.AsType[*messages.Error](err); !ok || refusal.Field != field {
			t.Errorf("%+v: %v, want a refusal of %s", q, err, field)
		}
	}
	for word, right := range map[string]func(error) bool{
		`hello`:     func(err error) bool { return errors.Is(err, ask.ErrMalformed) },
		`{"seq":1}`: func(err error) bool { return errors.Is(err, ask.ErrMalformed) },
		`{"error":{"code":400,"err_code":10054,"description":"too large"}}`: func(err error) bool {
			api, ok := errors.AsType[*jetstream.APIError](err)
			return ok && api.ErrorCode == 10054
		},
	} {
		sub, err := nc.Subscribe("protocol.submit", func(m *nats.Msg) { _ = m.Respond([]byte(word)) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Submit(within(t, 10*time.Second), question); !right(err) {
			t.Errorf("%s: error %v", word, err)
		}
		_ = sub.Unsubscribe()
	}
}

// For all ways of asking, a lost acknowledgement is asked for again under the same message id. A
// cluster whose leaders move may say that the first try is being stored, or briefly that there are
// no responders: neither is a refusal.
func TestSubmitAgain(t *testing.T) {
	const stored, inProcess = `{"stream":"PROTOCOL_SUBMITTED","seq":7,"duplicate":true}`, `{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"}}`
	for way, fast := range map[string]bool{"patient": false, "fail fast": true} {
		for name, word := range map[string]string{"lost": "", "being stored": inProcess, "nobody there": "503"} {
			t.Run(way+", "+name, func(t *testing.T) {
				srv := natstest.Serve(t, server.Options{})
				stream := play(t, natstest.Connect(t, srv), "protocol.submit", func(n int, in taken) {
					switch {
					case n == 3:
						_ = in.msg.Respond([]byte(stored))
					case word == "503":
						_ = in.msg.RespondMsg(nobody())
					case word != "":
						_ = in.msg.Respond([]byte(word))
					}
				})
				o, most := calm, 3
				if word == "" { // otherwise a busy machine may be silent for longer than a try, too
					o, most = quick, 100
				}
				o.FailFast = fast
				got, err := newClient(t, natstest.Connect(t, srv), o).Submit(within(t, 10*time.Second), question)
				if n := len(stream.all()); err != nil || got.Sequence != 7 || !got.Duplicate || n < 3 || n > most {
					t.Fatalf("%+v, %v, sent %d times", got, err, len(stream.all()))
				}
				first := stream.all()[0].msg.Header.Get(messages.HeaderMsgID)
				for _, in := range stream.all() {
					if id := in.msg.Header.Get(messages.HeaderMsgID); id != first || len(id) < 26 || strings.Contains(id, got.ID) || in.q.ID != got.ID {
						t.Errorf("message id %q, query id %q, told %q", id, in.q.ID, got.ID)
					}
				}
			})
		}
	}
}

// nobody is a server's response if there are no responders.
func nobody() *nats.Msg { return &nats.Msg{Header: nats.Header{"Status": {"503"}}} }

// A server that lost the first try says so without end: with another id the query is stored.
func TestSubmitWhatAServerLost(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	stream := play(t, natstest.Connect(t, srv), "protocol.submit", func(_ int, in taken) {
		word := `{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"}}`
		if strings.HasSuffix(in.msg.Header.Get(messages.HeaderMsgID), "/again") {
			word = `{"stream":"PROTOCOL_SUBMITTED","seq":7}`
		}
		_ = in.msg.Respond([]byte(word))
	})
	q := question
	q.ID = "id-1"
	got, err := newClient(t, natstest.Connect(t, srv), calm).Submit(within(t, 10*time.Second), q)
	if err != nil || got.Sequence != 7 || got.ID != "id-1" || len(stream.all()) != 21 {
		t.Fatalf("%+v, %v, sent %d times", got, err, len(stream.all()))
	}
}

// A stream of another program that captures the subject stores the query where no worker reads.
func TestSubmitCaptured(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{JetStream: true}))
	newStream(t, nc, jetstream.StreamConfig{Name: "EVERYTHING", Subjects: []string{"protocol.>"}})
	got, err := ask.Submit(within(t, 10*time.Second), nc, question)
	if !errors.Is(err, ask.ErrCaptured) || !errors.Is(err, ask.ErrMalformed) || !strings.Contains(err.Error(), `"EVERYTHING"`) {
		t.Errorf("%+v, %v", got, err)
	}
}
