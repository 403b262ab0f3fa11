// Asking, with workers that answer, are away, drop, die, delay and send nonsense.

package ask_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/natstest"
)

const partner = "2088001122334455"

var question = messages.Query{UserEmail: "zhang@example.com"}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestAskAndBeAnswered(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	nc := natstest.Connect(t, srv, nats.CustomInboxPrefix("_INBOX_booking"))
	q := question
	q.Partner, q.ID = partner, "mine"
	tests := []struct {
		name    string
		o       ask.Options
		q       messages.Query
		subject string
	}{
		{"plain", ask.Options{}, question, "protocol.query"},
		{"of a partner", ask.Options{}, q, "protocol.query." + partner},
		{"of a partner, by name", ask.Options{Asker: "till-7"}, q, "protocol.query." + partner + ".till-7"},
		{"by name, without a partner", ask.Options{Asker: "till-7"}, question, "protocol.query"},
		{"own inboxes", ask.Options{Inbox: "_INBOX_booking.till"}, question, "protocol.query"},
		{"other prefix, JSON", ask.Options{Prefix: "test.a", Encoding: messages.JSON}, q, "test.a.query." + partner},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			worker := play(t, natstest.Connect(t, srv), tt.subject, func(_ int, in taken) { in.reply(t, signed) })
			r, err := newClient(t, nc, tt.o).Ask(within(t, 10*time.Second), tt.q)
			if err != nil || r.Outcome != messages.Signed {
				t.Fatalf("%+v, %v", r, err)
			}
			came := worker.all()
			if len(came) != 1 {
				t.Fatalf("asked %d times", len(came))
			}
			in := came[0]
			if in.q.ID == "" || in.q.ID != r.ID || tt.q.ID != "" && r.ID != tt.q.ID {
				t.Errorf("asked with id %q, answered with %q", in.q.ID, r.ID)
			}
			if want := cmp.Or(tt.o.Inbox, "_INBOX_booking"); !strings.HasPrefix(in.msg.Reply, want+".") {
				t.Errorf("inbox %s is not below the connection's prefix", in.msg.Reply)
			}
			if want := tt.o.Encoding; want != "" && in.msg.Header.Get(messages.HeaderContentType) != string(want) {
				t.Errorf("written as %s", in.msg.Header.Get(messages.HeaderContentType))
			}
		})
	}
}

// Every outcome except two kinds of unknown is an answer, returned at once.
func TestWhatIsAnAnswer(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	nc := natstest.Connect(t, srv)
	var r messages.Result
	worker := play(t, natstest.Connect(t, srv), "protocol.query", func(_ int, in taken) { in.reply(t, r) })
	due := question
	due.DeadlineMs = time.Now().UnixMilli()
	for _, tt := range []struct {
		q messages.Query
		r messages.Result
	}{
		{question, messages.Result{Outcome: messages.NotSigned, Code: "NO_SIGN_CUSTOMER"}},
		{question, messages.Result{Outcome: messages.Refused, Code: messages.KeyConflict}},
		{question, messages.Result{Outcome: messages.Accepted}},
		{question, messages.Result{Outcome: messages.Unknown, Code: messages.CoolingDown, Retryable: true, RetryAfterMs: 1}},
		{question, messages.Result{Outcome: messages.Unknown, Code: messages.Crashed, Retryable: true}},
		{due, late},
		{question, messages.Result{Outcome: messages.Unknown, Code: messages.Overloaded, Retryable: true, RetryAfterMs: 3_600_000}}, // beyond the deadline
	} {
		r = tt.r
		before := len(worker.all())
		got, err := newClient(t, nc, calm).Ask(within(t, 10*time.Second), tt.q)
		if err != nil || got.Outcome != tt.r.Outcome || got.Code != tt.r.Code || got.RetryAfterMs != tt.r.RetryAfterMs {
			t.Errorf("answered %+v: %+v, %v", tt.r, got, err)
		}
		if n := len(worker.all()) - before; n != 1 {
			t.Errorf("%s: asked %d times", tt.r.Code, n)
		}
	}
}

// An answer to another question is never accepted, whatever its id.
func TestAnswerToAnotherQuestion(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	worker := play(t, natstest.Connect(t, srv), "protocol.query", func(n int, in taken) {
		r := messages.Result{Outcome: messages.NotSigned, Partner: partner, Question: messages.Query{Partner: partner, UserEmail: "other@example.com"}.QuestionText()}
		if n > 1 {
			of := in.q
			of.Partner = partner
			r.Question = of.QuestionText()
		}
		in.reply(t, r)
	})
	c := newClient(t, natstest.Connect(t, srv), ask.Options{})
	if r, err := c.Ask(within(t, 10*time.Second), question); !errors.Is(err, ask.ErrMalformed) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := c.Ask(within(t, 10*time.Second), question); err != nil || r.Outcome != messages.NotSigned || len(worker.all()) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A worker that takes the query and dies costs a time-out. The next try is the same message, and
// waits longer.
func TestWorkersThatDropAreAskedAgain(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	worker := play(t, natstest.Connect(t, srv), "protocol.query", func(n int, in taken) {
		if n == 5 {
			in.reply(t, signed)
		}
	})
	o := ask.Options{Try: 20 * time.Millisecond, MaxTry: 60 * time.Millisecond}
	c := newClient(t, natstest.Connect(t, srv), o)
	begun := time.Now()
	if r, err := c.Ask(within(t, 10*time.Second), question); err != nil || r.Outcome != messages.Signed {
		t.Fatalf("%+v, %v", r, err)
	}
	came := worker.all()
	for i, least := range []time.Duration{20, 20 + 40, 20 + 40 + 60, 20 + 40 + 60 + 60} { // ms from the begin: what comes late takes nothing from the next wait
		if after := came[i+1].at.Sub(begun); after < least*time.Millisecond {
			t.Errorf("try %d came after %v, want %v ms", i+2, after, int(least))
		}
		if !bytes.Equal(came[i].msg.Data, came[i+1].msg.Data) || came[i].q.ID == "" {
			t.Errorf("try %d is another question: %+v, %+v", i+2, came[i].q, came[i+1].q)
		}
	}
}

func TestAnAnswerToAnEarlierTryCounts(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	var first taken
	play(t, natstest.Connect(t, srv), "protocol.query", func(n int, in taken) {
		switch n {
		case 1:
			first = in
		case 3:
			first.reply(t, signed)
		}
	})
	if r, err := newClient(t, natstest.Connect(t, srv), quick).Ask(within(t, 10*time.Second), question); err != nil || r.Outcome != messages.Signed {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestNobodyListensYet(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	nc, worker := natstest.Connect(t, srv), natstest.Connect(t, srv)
	_, err := newClient(t, nc, ask.Options{}).Ask(within(t, 100*time.Millisecond), question)
	if !errors.Is(err, nats.ErrNoResponders) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline and that nobody listens", err)
	}
	before := nc.Stats().OutMsgs
	answers := make(chan error, 1)
	go func() {
		_, err := newClient(t, nc, quick).Ask(within(t, 10*time.Second), question)
		answers <- err
	}()
	eventually(t, "two tries", func() bool { return nc.Stats().OutMsgs >= before+2 })
	play(t, worker, "protocol.query", func(_ int, in taken) { in.reply(t, signed) })
	if err := <-answers; err != nil {
		t.Error(err)
	}
}

func TestSilenceIsNotTakenForAbsence(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	play(t, natstest.Connect(t, srv), "protocol.query", func(int, taken) {})
	_, err := newClient(t, natstest.Connect(t, srv), quick).Ask(within(t, 200*time.Millisecond), question)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("error %v, want the deadline only", err)
	}
}

// First there are no responders, then a worker takes the query and is silent: the last obstacle is
// the silence.
func TestWhatWasInTheWayLast(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	nc, worker := natstest.Connect(t, srv), natstest.Connect(t, srv)
	answers := make(chan error, 1)
	go func() {
		_, err := newClient(t, nc, calm).Ask(within(t, time.Second), question)
		answers <- err
	}()
	eventually(t, "two tries", func() bool { return nc.Stats().OutMsgs >= 2 })
	play(t, worker, "protocol.query", func(int, taken) {})
	if err := <-answers; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("error %v, want the deadline only", err)
	}
}

// OVERLOADED is asked again after the time that it says, and so is DEADLINE if the asker has no
// deadline.
func TestAskedAgainByCode(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	for _, r := range []messages.Result{
		{Outcome: messages.Unknown, Code: messages.Overloaded, Retryable: true, RetryAfterMs: 40},
		late,
	} {
		nc := natstest.Connect(t, srv)
		worker := play(t, nc, "protocol.query", func(n int, in taken) {
			if n < 3 {
				in.reply(t, r)
				return
			}
			in.reply(t, signed)
		})
		if got, err := newClient(t, natstest.Connect(t, srv), calm).Ask(within(t, 10*time.Second), question); err != nil || got.Outcome != messages.Signed {
			t.Errorf("%s: %+v, %v", r.Code, got, err)
		}
		came := worker.all()
		if len(came) != 3 {
			t.Fatalf("%s: asked %d times", r.Code, len(came))
		}
		if gap := came[2].at.Sub(came[0].at); gap < 2*time.Duration(r.RetryAfterMs-5)*time.Millisecond {
			t.Errorf("%s: the third try came after %v", r.Code, gap)
		}
		nc.Close()
	}
}

// The connection breaks during a query, which is asked again as soon as the connection is back.
func TestConnectionLost(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	line := &cord{srv: srv}
	nc, err := nats.Connect("", nats.InProcessServer(line), nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	arrived := make(chan int, 10)
	play(t, natstest.Connect(t, srv), "protocol.query", func(n int, in taken) {
		if n > 1 {
			in.reply(t, signed)
		}
		arrived <- n
	})
	answers := make(chan error, 1)
	go func() {
		_, err := newClient(t, nc, calm).Ask(within(t, 20*time.Second), question) // only the reconnection can make the second try
		answers <- err
	}()
	<-arrived
	line.cut()
	eventually(t, "the break is noticed", func() bool { return !nc.IsConnected() })
	_, err = newClient(t, nc, quick).Ask(within(t, 50*time.Millisecond), question)
	if !errors.Is(err, nats.ErrDisconnected) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that the connection is away", err)
	}
	line.mend()
	if err := <-answers; err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeAsked(t *testing.T) {
	srv := natstest.Serve(t, server.Options{JetStream: true})
	nc := natstest.Connect(t, srv)
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "Q", Subjects: []string{"protocol.query"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask.Ask(within(t, 10*time.Second), nc, question); !errors.Is(err, ask.ErrMalformed) || !errors.Is(err, ask.ErrCaptured) || !strings.Contains(err.Error(), `"Q"`) {
		t.Errorf("a stream on the subject: error %v", err)
	}
	play(t, natstest.Connect(t, srv), "protocol.query."+partner, func(_ int, in taken) { in.q.ID = "another's"; in.reply(t, signed) })
	q := question
	q.Partner = partner
	if _, err := ask.Ask(within(t, 10*time.Second), nc, q); !errors.Is(err, ask.ErrMalformed) {
		t.Errorf("the answer to another question: error %v", err)
	}
	r, err := ask.Ask(within(t, 10*time.Second), nc, messages.Query{ID: "x", UserEmail: "nobody"})
	if err != nil || r.Outcome != messages.Refused || r.Code != messages.BadRequest || r.ID != "x" {
		t.Errorf("a wrong login: %+v, %v", r, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask.Ask(gone, nc, question); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: error %v", err)
	}
	answers := make(chan error, 1)
	silent := play(t, natstest.Connect(t, srv), "quiet.query", func(int, taken) {})
	go func() {
		_, err := newClient(t, nc, ask.Options{Prefix: "quiet"}).Ask(within(t, 10*time.Second), question)
		answers <- err
	}()
	eventually(t, "it is asked", func() bool { return len(silent.all()) == 1 })
	nc.Close()
	if err := <-answers; !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("closed meanwhile: error %v", err)
	}
	if _, err := ask.Ask(within(t, 10*time.Second), nc, question); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("closed before: error %v", err)
	}
}

func TestWrongOptions(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{}))
	for _, o := range []ask.Options{{Prefix: "a.*"}, {Encoding: "text/plain"}, {Asker: "a.b"}} {
		if _, err := ask.New(nc, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if _, err := ask.New(nil, ask.Options{}); !errors.Is(err, nats.ErrInvalidConnection) {
		t.Errorf("no connection: error %v", err)
	}
}

// The server reports what it forbids only on the connection; the asker must still learn of it.
func TestForbidden(t *testing.T) {
	user := &server.User{Username: "u", Password: "p", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{"other"}}}}
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{Users: []*server.User{user}}), nats.UserInfo("u", "p"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if _, err := newClient(t, nc, quick).Ask(within(t, 200*time.Millisecond), question); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("error %v, want the permission", err)
	}
}

// Many at once over one connection. Nothing is left behind, here or on the server.
func TestManyAtOnceLeaveNothing(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	nc := natstest.Connect(t, srv)
	play(t, natstest.Connect(t, srv), "protocol.query", func(n int, in taken) {
		if n%3 != 0 {
			in.reply(t, signed)
		}
	})
	c := newClient(t, nc, quick)
	subscriptions, goroutines := srv.NumSubscriptions(), runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if i%10 == 0 {
				cancel()
			}
			if r, err := c.Ask(ctx, question); err == nil && r.Outcome != messages.Signed || err != nil && i%10 != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	eventually(t, "no subscription and no goroutine left", func() bool {
		return srv.NumSubscriptions() <= subscriptions && runtime.NumGoroutine() <= goroutines
	})
}

// The caller's trace is sent with each try, and with each submitted query.
func TestTraceGoesAlong(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	nc, js := natstest.JetStream(t)
	type key struct{}
	c := newClient(t, nc, ask.Options{Trace: func(ctx context.Context) string { s, _ := ctx.Value(key{}).(string); return s }})
	worker := play(t, nc, "protocol.query", func(_ int, in taken) { in.reply(t, signed) })
	for _, want := range []string{trace, "", "nonsense"} {
		if _, err := c.Ask(context.WithValue(within(t, 10*time.Second), key{}, want), question); err != nil {
			t.Fatal(err)
		}
		came := worker.all()
		if got := came[len(came)-1].msg.Header.Get(messages.Traceparent); got != messages.UsableTrace(want) {
			t.Errorf("with %q goes %q", want, got)
		}
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PROTOCOL_SUBMITTED", Subjects: []string{"protocol.submit"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(context.WithValue(within(t, 10*time.Second), key{}, trace), question); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "PROTOCOL_SUBMITTED")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.GetMsg(t.Context(), 1); err != nil || m.Header.Get(messages.Traceparent) != trace {
		t.Errorf("%+v, %v", m, err)
	}
}
