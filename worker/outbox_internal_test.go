// What an outbox publishes is byte for byte what this core publishes in the same case.

package worker

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// posts are messages by subject. Each place that an outbox publishes to is one.
type posts struct {
	mu  sync.Mutex // guards got
	got map[string]*nats.Msg
}

func (p *posts) keep(m *nats.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got[m.Subject] = m
}

func (p *posts) Send(_ context.Context, replies []*nats.Msg) []error {
	for _, m := range replies {
		p.keep(m)
	}
	return make([]error, len(replies))
}

func (p *posts) Go(m *nats.Msg, _ time.Duration, done func(uint64, error)) error {
	p.keep(m)
	done(1, nil)
	return nil
}

func (p *posts) PublishWithin(_ context.Context, _ time.Duration, m *nats.Msg) (uint64, error) {
	p.keep(m)
	return 1, nil
}

// firstCore is what of a worker makes messages, on a server where every message counts as stored.
func firstCore(t *testing.T) (*Worker, *posts) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	hasher, err := querylog.NewHasher([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	got := &posts{got: map[string]*nats.Msg{}}
	_, err = nc.Subscribe(names.Prefix()+".>", func(m *nats.Msg) {
		got.keep(m)
		_ = m.Respond([]byte(`{"stream":"S","seq":1}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{o: Options{Names: names, NATS: nc, Reply: nc, LogHasher: hasher, CloudEvents: true}, log: slog.New(slog.DiscardHandler),
		metrics: &metrics{}, to: publish.New(nc)}
	w.replier = newReplier(w)
	return w, got
}

// outboxOf publishes what duties owe with the same settings, until they are done.
func outboxOf(t *testing.T, w *Worker, duties ...outbox.Duty) *posts {
	t.Helper()
	got := &posts{got: map[string]*nats.Msg{}}
	lines := querylog.NewPublisher(querylog.PublisherOptions{To: got, Names: w.o.Names, Hasher: w.o.LogHasher})
	box, err := outbox.New(outbox.Options{Names: w.o.Names, Inboxes: got, Replies: got, Streams: got, Lines: lines, CloudEvents: true, Done: func([]journal.Ref) {}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	parts.Go(func() { _ = lines.Run(ctx) })
	parts.Go(func() { _ = box.Run(ctx) })
	for _, d := range duties {
		if !box.Add(d) {
			t.Fatal("no room for a duty")
		}
	}
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := box.Drain(within); err != nil {
		t.Fatal(err)
	}
	stop()
	parts.Wait()
	return got
}

// linesOf is what this core's line comes to in the query log.
func linesOf(t *testing.T, w *Worker, line func(p *querylog.Publisher, done func(written bool))) *posts {
	t.Helper()
	got := &posts{got: map[string]*nats.Msg{}}
	p := querylog.NewPublisher(querylog.PublisherOptions{To: got, Names: w.o.Names, Hasher: w.o.LogHasher})
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = p.Run(ctx) })
	written := make(chan bool, 1)
	line(p, func(ok bool) { written <- ok })
	if !<-written {
		t.Fatal("this core's line is not published")
	}
	stop()
	run.Wait()
	return got
}

// deliveredOnce is a message out of a stream.
type deliveredOnce []byte

func (d deliveredOnce) Data() []byte                       { return d }
func (d deliveredOnce) Headers() nats.Header               { return nil }
func (d deliveredOnce) Ack() error                         { return nil }
func (d deliveredOnce) NakWithDelay(_ time.Duration) error { return nil }
func (d deliveredOnce) InProgress() error                  { return nil }

// same compares two messages but for the server's own reply subject.
func same(t *testing.T, what string, got, want *nats.Msg) {
	t.Helper()
	switch {
	case got == nil || want == nil:
		t.Errorf("%s: published %v, this core publishes %v", what, got != nil, want != nil)
	case got.Subject != want.Subject || !bytes.Equal(got.Data, want.Data) || !cmp.Equal(got.Header, want.Header):
		t.Errorf("%s:\n%s %q %v\nthis core's:\n%s %q %v", what, got.Subject, got.Data, got.Header, want.Subject, want.Data, want.Header)
	}
}

func TestOutboxAnswersAsksAsThisCoreDoes(t *testing.T) {
	w, published := firstCore(t)
	stored := messages.Result{V: 1, Partner: onePartner, Outcome: messages.Signed, ChargeAgent: new(true), RefundCharge: new(false), UserID: "20881234567890123456",
		IsSuccess: "T", Attempts: 2, AskedAtMs: 1795424398000, ExpiresAtMs: 1795424458210, Verified: messages.VerifiedSign}
	failed := messages.Result{V: 1, Partner: onePartner, Outcome: messages.Unknown, Code: "SYSTEM_ERROR", Message: "busy", Retryable: true, Attempts: 5, ExpiresAtMs: 1795424458210}
	crashed := own(messages.Crashed)
	crashed.V, crashed.Partner, crashed.Attempts, crashed.Message = 1, onePartner, 1, messages.Message(messages.Crashed)
	const inbox, kept = "_INBOX.abc.1", "protocol.reply.shop"
	plain := messages.Query{V: 1, ID: "order-1", Partner: onePartner, UserEmail: "zhang.san@example.com"}
	full := messages.Query{V: 1, ID: "zhang@example.com", Key: "k-1", Partner: onePartner, AccountNo: "20881234567890123456", Meta: map[string]string{"a": "1", "b": "张"}}
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	type verdict = dedupe.Verdict
	tests := []struct {
		name     string
		q        messages.Query
		to       string
		encoding messages.Encoding
		door     journal.Door
		trace    string
		result   *messages.Result
		kind     journal.Verdict
		v        verdict // of this core
		why      string
		rest     time.Duration
		deaths   int
	}{
		{"signed", plain, inbox, messages.MsgPack, journal.Await, "", &stored, journal.Conclusive, verdict{Source: dedupe.Asked}, "", 0, 0},
		{"signed in JSON, traced", full, inbox, messages.JSON, journal.Await, trace, &stored, journal.Conclusive, verdict{Source: dedupe.Joined}, "", 0, 0},
		{"signed, traced", full, inbox, messages.MsgPack, journal.Await, trace, &stored, journal.Conclusive, verdict{Source: dedupe.Joined}, "", 0, 0},
		{"signed, durable", full, kept, messages.MsgPack, journal.Submit, "", &stored, journal.Conclusive, verdict{Source: dedupe.Remembered}, "", 0, 0},
		{"signed, nobody waits", plain, "", messages.MsgPack, journal.Submit, "", &stored, journal.Conclusive, verdict{Source: dedupe.Asked}, "", 0, 0},
		{"failed", plain, inbox, messages.MsgPack, journal.Await, "", &failed, journal.Failed, verdict{Source: dedupe.Joined, Failed: true}, "", 30 * time.Second, 0},
		{"crashed", plain, inbox, messages.JSON, journal.Await, "", &crashed, journal.Crashed, verdict{Source: dedupe.Joined, Failed: true, Record: &dedupe.Record{Once: true}}, "", 0, 0},
		{"crashed, submitted", plain, kept, messages.JSON, journal.Submit, "", &crashed, journal.Crashed, verdict{Source: dedupe.Asked, Failed: true, Record: &dedupe.Record{Once: true}}, "", 0, 1},
		{"poison", full, inbox, messages.MsgPack, journal.Await, "", &crashed, journal.Crashed, verdict{Source: dedupe.Joined, Failed: true, Deaths: 3, Record: &dedupe.Record{Once: true}}, "", 0, 3},
		{"conflict", full, inbox, messages.JSON, journal.Await, "", nil, 0, verdict{Kind: dedupe.Conflict}, messages.KeyConflict, 0, 0},
		{"deadline", plain, inbox, messages.MsgPack, journal.Await, "", nil, 0, verdict{Kind: dedupe.Expired}, messages.DeadlinePassed, 0, 0},
		{"deadline, submitted", full, kept, messages.MsgPack, journal.Submit, trace, nil, 0, verdict{Kind: dedupe.Expired}, messages.DeadlinePassed, 0, 0},
		{"deadline, nobody waits", full, "", messages.JSON, journal.Submit, "", nil, 0, verdict{Kind: dedupe.Expired}, messages.DeadlinePassed, 0, 0},
		{"halted", plain, inbox, messages.MsgPack, journal.Await, "", nil, 0, verdict{Kind: dedupe.Held, Reason: messages.PartnerHalted, RetryAfter: 7 * time.Second}, messages.PartnerHalted, 7 * time.Second, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clear(published.got)
			query, err := tt.q.Encode(messages.MsgPack)
			if err != nil {
				t.Fatal(err)
			}
			at := time.UnixMilli(1795424390123)
			ask := &outbox.Ask{Ask: &journal.Ask{Token: "tok-1", Query: query, Reply: tt.to, Encoding: tt.encoding.Byte(), Door: tt.door, Partner: onePartner, Trace: tt.trace},
				Stored: at, Why: tt.why, RetryAfter: tt.rest, Deaths: tt.deaths}
			tt.v.Run, tt.v.Until = "run-1", w.clock.Now().Add(tt.rest)
			if tt.result != nil {
				tt.v.Kind = dedupe.Answered
				if tt.v.Answer, err = tt.result.Encode(messages.MsgPack); err != nil {
					t.Fatal(err)
				}
				ask.Source = sources[tt.v.Source]
				ask.Answer = &journal.Answer{Run: "run-1", Verdict: tt.kind, Result: tt.v.Answer, Code: tt.result.Code, Partner: onePartner}
			}
			got := outboxOf(t, w, outbox.Duty{Entry: journal.Ref{Position: 7, Index: 1}, Ask: ask})

			r := w.result(&tt.q, &tt.v)
			if m := got.got[tt.to]; m != nil { // when it was made, and for how long from then on, is each one's own
				said, _, err := messages.DecodeResult(m.Data, "")
				if err != nil {
					t.Fatal(err)
				}
				if d := said.RetryAfterMs - r.RetryAfterMs; d < -2000 || d > 2000 {
					t.Errorf("retry after %d ms, this core says %d", said.RetryAfterMs, r.RetryAfterMs)
				}
				r.AnsweredAtMs, r.RetryAfterMs = said.AnsweredAtMs, said.RetryAfterMs
			} else if asks, err := querylog.DecodeAsks(got.got[w.o.Names.LogAsk()].Data); err == nil {
				r.AnsweredAtMs = asks[0].AnsweredAt.UnixMilli()
			}
			door, subject := messages.DoorQuery, w.o.Names.Query()
			if tt.door == journal.Submit {
				door, subject = messages.DoorSubmit, w.o.Names.Submit()
			}
			a := &arrival{q: tt.q, encoding: tt.encoding, token: "tok-1", door: door, subject: subject, replyTo: tt.to, stored: at, trace: tt.trace, tries: uint64(max(r.Attempts, 1)),
				msg: deliveredOnce(query)}
			j := &job{to: tt.to, r: r, encoding: tt.encoding, trace: tt.trace, token: "tok-1", a: a}
			if tt.to != "" {
				want, err := w.replier.message(tt.to, &r, tt.encoding, tt.trace)
				if err != nil {
					t.Fatal(err)
				}
				if w.replier.isDurable(tt.to) {
					want.Header[messages.HeaderMsgID] = []string{"tok-1"}
				}
				same(t, "reply", got.got[tt.to], want)
			}
			lines := linesOf(t, w, func(p *querylog.Publisher, done func(bool)) {
				p.PublishAsk(querylog.Answered{Query: &tt.q, Ask: storedLine(j), Done: done})
			})
			same(t, "line", got.got[w.o.Names.LogAsk()], lines.got[w.o.Names.LogAsk()])
			reason := letterFor(a, &tt.v, &r)
			if reason != "" {
				if !w.bury(t.Context(), w.letterOf(a, reason, r)) {
					t.Fatal("this core's dead letter is not published")
				}
				same(t, "dead letter", got.got[w.o.Names.Dead(reason)], published.got[w.o.Names.Dead(reason)])
			}
			want := 1 // the line
			if tt.to != "" {
				want++
			}
			if reason != "" {
				want++
			}
			if len(got.got) != want {
				t.Errorf("%d messages, want %d: %v", len(got.got), want, got.got)
			}
		})
	}
}

func TestOutboxSaysOfARunWhatThisCoreDoes(t *testing.T) {
	w, published := firstCore(t)
	begun, answered := time.UnixMilli(1795424390000), time.UnixMilli(1795424398210)
	calls := []Attempt{
		{AtUs: 1795424390001000, DNS: 10, Connect: 20, TLS: 30, FirstByte: 40, Body: 50, Total: 60, Code: "SYSTEM_ERROR", Class: "temp", HTTPStatus: 200, Bytes: 300},
		{AtUs: 1795424392000000, Cut: true},
		{AtUs: 1795424398000000, Total: 70, HTTPStatus: 200, Bytes: 320, Reused: true},
	}
	detail := func(i int) []byte { return calls[i].line().Encode() }
	begins := []outbox.Begun{ // the first run's member died over its second attempt
		{Begin: &journal.Begin{Run: "run-0", Attempt: 1}, Stored: begun},
		{Begin: &journal.Begin{Run: "run-0", Attempt: 2, Before: journal.Outcome{Code: "SYSTEM_ERROR", Detail: detail(0)}}, Stored: time.UnixMilli(1795424392000)},
		{Begin: &journal.Begin{Run: "run-1", Attempt: 3, Deaths: 1, Follows: "run-0"}, Stored: time.UnixMilli(1795424397000)},
	}
	for _, tt := range []struct {
		name   string
		q      messages.Query
		r      messages.Result
		kind   journal.Verdict
		begins []outbox.Begun
		last   []journal.Outcome
		calls  []Attempt
		deaths int
	}{
		{"signed after a death", messages.Query{V: 1, ID: "i", Partner: onePartner, UserEmail: "zhang.san@example.com", AccountNo: "20881234567890123456"},
			messages.Result{Outcome: messages.Signed, ChargeAgent: new(true), Attempts: 3, AskedAtMs: 1795424398000, Verified: messages.VerifiedSign},
			journal.Conclusive, begins, []journal.Outcome{{Detail: detail(2)}}, calls, 1},
		{"crashed", messages.Query{V: 1, ID: "i", Key: "zhang@example.com", Partner: onePartner, UserEmail: "zhang.san@example.com"},
			messages.Result{Outcome: messages.Unknown, Code: messages.Crashed, Retryable: true, Message: messages.Message(messages.Crashed), Attempts: 1},
			journal.Crashed, begins[:1], nil, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clear(published.got)
			tt.r.V, tt.r.Partner, tt.r.ExpiresAtMs = 1, onePartner, answered.UnixMilli()+60_000
			body, err := tt.r.Encode(messages.MsgPack)
			if err != nil {
				t.Fatal(err)
			}
			query, err := tt.q.Encode(messages.JSON)
			if err != nil {
				t.Fatal(err)
			}
			got := outboxOf(t, w, outbox.Duty{Entry: journal.Ref{Position: 9, Index: 2}, Run: &outbox.Run{
				Answer: &journal.Answer{Run: "run-1", Verdict: tt.kind, Result: body, Attempts: tt.last, Partner: onePartner},
				Stored: answered, By: "worker-1", Begins: tt.begins, Query: query}})
			r := tt.r
			r.Run = "run-1"
			w.event(t.Context(), &tt.q, &r)()
			subject := w.o.Names.Event(onePartner, r.Outcome)
			same(t, "event", got.got[subject], published.got[subject])
			rec := &dedupe.Record{Run: "run-1", Owner: "worker-1", BegunMs: begun.UnixMilli(), KeepMs: 60_000, Deaths: tt.deaths, Journal: journalOf(tt.calls)}
			lines := linesOf(t, w, func(p *querylog.Publisher, done func(bool)) {
				p.PublishRun(t.Context(), &tt.q, w.runLine(rec, &r))
				done(true)
			})
			same(t, "line", got.got[w.o.Names.LogRun()], lines.got[w.o.Names.LogRun()])
			if len(got.got) != 2 {
				t.Errorf("%d messages, want an event and a line: %v", len(got.got), got.got)
			}
		})
	}
}
