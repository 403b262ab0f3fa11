// The query log: a line for every run and every ask, and what happens when it cannot be written.

package worker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/dedupe"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

func logged(t *testing.T) func(*worker.Options) {
	t.Helper()
	h, err := querylog.NewHasher([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *worker.Options) { o.LogHasher = h }
}

// lines reads the query log until it holds so many runs and asks.
func (f *fleet) lines(runs, asks int) ([]querylog.Run, []querylog.Ask) {
	f.t.Helper()
	c, err := f.js.Consumer(f.t.Context(), f.names.Stream(messages.Log), messages.ConsumerRecorder)
	if err != nil {
		f.t.Fatal(err)
	}
	var r []querylog.Run
	var a []querylog.Ask
	for len(r) < runs || len(a) < asks {
		m, err := c.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			f.t.Fatalf("%d runs and %d asks, want %d and %d: %v", len(r), len(a), runs, asks, err)
		}
		if strings.Contains(string(m.Data()), "example.com") {
			f.t.Errorf("a raw address in the log: %q", m.Data())
		}
		_ = m.Ack()
		if m.Subject() == f.names.LogRun() {
			runs, err := querylog.DecodeRuns(m.Data())
			if err != nil {
				f.t.Fatal(err)
			}
			r = append(r, runs...)
			continue
		}
		batch, err := querylog.DecodeAsks(m.Data())
		if err != nil {
			f.t.Fatal(err)
		}
		a = append(a, batch...)
	}
	return r, a
}

func TestEveryRunAndEveryAskIsLogged(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start(logged(t))
	f.start(logged(t))
	for range 3 {
		f.ask(messages.Query{UserEmail: "signed@example.com", ID: "someone@example.com"})
	}
	f.ask(messages.Query{UserEmail: "system-error-2@example.com"})
	f.submit(messages.Query{UserEmail: "debit-only@example.com"})
	runs, asks := f.lines(3, 5)
	slices.SortFunc(runs, func(a, b querylog.Run) int { return len(b.Attempts) - len(a.Attempts) })
	if r := runs[0]; len(r.Attempts) != 3 || r.Attempts[0].Code != "SYSTEM_ERROR" || r.Attempts[2].Code != "" || r.Outcome != "signed" ||
		r.Email.String() != "s***@e***.com" || r.Email.LookUp().String() == "" || r.Partner != partner || r.Attempts[1].Total == 0 {
		t.Errorf("%+v", r)
	}
	if len(asks) != 5 {
		t.Errorf("%d asks", len(asks))
	}
	sources := map[string]int{}
	for _, a := range asks {
		sources[a.Source]++
		if a.Outcome != "signed" || a.Token == "" || a.Run == "" || a.At.IsZero() {
			t.Errorf("%+v", a)
		}
	}
	if sources["asked"] != 3 || sources["remembered"] != 2 {
		t.Errorf("%v", sources)
	}
	f.wantRest()
}

// An ask that left its batch is stored again alone. Should its worker store the answer and die, who
// is handed that message, for the first time, writes the run down and tells its event.
func TestRunOfADeadWorkerIsToldByWhoIsHandedItsAsk(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	q := messages.Query{ID: "survivor", Partner: partner, UserEmail: "signed@example.com"}
	body, err := q.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := messages.Result{V: messages.Version, Partner: partner, Outcome: messages.Signed, Attempts: 1,
		ExpiresAtMs: time.Now().Add(time.Minute).UnixMilli()}.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	question := q.Question()
	records := dedupe.NewStream(worker.KeyRecords(f.nc, publish.New(f.nc), f.names))
	_, err = records.Put(t.Context(), q.KeyToken(), &dedupe.Record{Phase: dedupe.Done, Owner: "dead", Run: "its-run", Ask: "its-token",
		BegunMs: time.Now().UnixMilli(), Question: question[:], Answer: answer, KeepMs: 60_000}, dedupe.Terms{TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := f.nc.SubscribeSync(f.nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	f.start(logged(t))
	_, err = f.js.PublishMsg(t.Context(), &nats.Msg{Subject: f.names.Request(q.KeyToken()), Data: body, Header: nats.Header{
		messages.HeaderMsgID: {"its-token"}, messages.HeaderReplyTo: {reply.Subject}, messages.HeaderPartner: {partner}}})
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, reply, "survivor")
	runs, asks := f.lines(1, 1)
	if runs[0].ID != "its-run" || runs[0].Worker != "dead" || asks[0].Run != "its-run" || asks[0].Source != "asked" {
		t.Errorf("logged %+v and %+v", runs, asks)
	}
	if n := f.stream(messages.Events).Msgs; n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	f.wantRest()
	f.wantCalls(0)
}

// While the log takes no lines no new call is made; what is remembered is answered.
func TestFullLogStopsCalls(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	w := f.start(logged(t))
	f.ask(messages.Query{UserEmail: "signed@example.com"})
	f.wantRest()
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Log))
	if err != nil {
		t.Fatal(err)
	}
	config := s.CachedInfo().Config
	room := config.MaxBytes
	config.MaxBytes = 1
	if _, err := f.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	done := make(chan messages.Result, 1)
	go func() { // its call is made; it is told when its run can be written down
		r, err := f.try(messages.Query{UserEmail: "signed+2@example.com"})
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	within(t, 20*time.Second, "the log is seen to be full", func() bool { return w.Stats().LogFull })
	calls := f.calls()
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Source != messages.Remembered {
		t.Errorf("%+v", r)
	}
	for range 3 {
		if r := f.ask(messages.Query{UserEmail: email("signed", time.Now().UnixNano())}); r.Code != messages.Overloaded {
			t.Errorf("%+v", r)
		}
	}
	f.wantCalls(calls)
	config.MaxBytes = room
	if _, err := f.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.Outcome != messages.Signed {
		t.Errorf("%+v", r)
	}
	within(t, 10*time.Second, "calls are made again", func() bool {
		return f.ask(messages.Query{UserEmail: email("signed", time.Now().UnixNano())}).Outcome == messages.Signed
	})
}
