// Every Result says which question it answers, however it comes about.

package worker_test

import (
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

func TestQuestionOfEveryResult(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	given := messages.Query{UserEmail: email("signed", "keyed"), Key: "k"}
	other := messages.Query{UserEmail: email("signed", "other"), Key: "k"}
	durable := messages.Query{UserEmail: email("signed", "durable"), ReplyTo: "protocol.reply.shop"}
	late := messages.Query{UserEmail: email("signed", "late"), DeadlineMs: time.Now().Add(-time.Minute).UnixMilli()}
	failing := messages.Query{UserEmail: email("system-error", "x"), Partner: partner}
	for _, c := range []struct {
		name string
		q    messages.Query
		want string
	}{
		{"asked", given, "signed"},
		{"remembered", given, "signed"},
		{"conflict", other, "refused KEY_CONFLICT"},
		{"accepted", durable, "accepted"},
		{"deadline", late, "unknown DEADLINE"},
		{"failed", failing, "unknown SYSTEM_ERROR"},
		{"cooling down", failing, "unknown SYSTEM_ERROR"},
		{"partner not served", messages.Query{UserEmail: email("signed", "y"), Partner: "2088999999999999"}, "refused NOT_ALLOWED"},
		{"place not allowed", messages.Query{UserEmail: email("signed", "z"), ReplyTo: "protocol.query"}, "refused REPLY_REFUSED"},
	} {
		r := f.ask(c.q)
		if said := string(r.Outcome) + map[bool]string{true: " "}[r.Code != ""] + r.Code; said != c.want || !r.Answers(c.q) {
			t.Errorf("%s: %s with question %q, want %s with %q", c.name, said, r.Question, c.want, c.q.QuestionText())
		}
	}
	within(t, "a durable reply", func() bool { return f.stream(messages.Replies).Msgs == 1 })
	if r := f.durableReply(1); r.Outcome != messages.Signed || !r.Answers(durable) {
		t.Errorf("%+v", r)
	}
	if r := f.ask(messages.Query{ID: "wrong", Partner: partner}); r.Outcome != messages.Refused || r.Question != "" {
		t.Errorf("what cannot be read: %+v", r)
	}
}

// durableReply is the one with that sequence in its stream.
func (f *fleet) durableReply(sequence uint64) messages.Result {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(messages.Replies))
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := s.GetMsg(f.t.Context(), sequence)
	if err != nil {
		f.t.Fatal(err)
	}
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}
