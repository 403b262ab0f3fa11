// The query log: a line for every run and every ask, and what happens when it cannot be written.

package worker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
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
	one, other := f.start(logged(t)), f.start(logged(t))
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
	for _, r := range runs {
		if r.Worker != one.Stats().Member && r.Worker != other.Stats().Member {
			t.Errorf("run of %s, the workers are %s and %s", r.Worker, one.Stats().Member, other.Stats().Member)
		}
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

// If a worker dies between the answer and its line, another writes the line and sends the replies:
// once each.
func TestWhatADeadWorkerOwesIsToldByAnother(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	victim := f.start(logged(t), quick(worker.Rerun))
	room := f.stream(messages.Log) // from which nothing is read
	f.bound(messages.Log, 1)
	reply, err := f.nc.SubscribeSync(f.nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.nc.PublishRequest(f.names.Query(), reply.Subject, packed(t, messages.Query{ID: "survivor", UserEmail: "signed@example.com"})); err != nil {
		t.Fatal(err)
	}
	within(t, "the answer is journalled, its line is not written", func() bool { return f.answers() == 1 && victim.Stats().LogFull })
	victim.die()
	f.bound(messages.Log, 1<<20)
	f.start(logged(t), quick(worker.Rerun))
	wantAnswer(t, reply, "survivor")
	runs, asks := f.lines(1, 1)
	if runs[0].Worker == "" || asks[0].Run != runs[0].ID || asks[0].Source != "asked" {
		t.Errorf("logged %+v and %+v", runs, asks)
	}
	f.wantRest()
	if n := f.stream(messages.Events).Msgs; n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	if n := f.stream(messages.Log).LastSeq; n != room.LastSeq+2 {
		t.Errorf("%d messages of lines, want 2", n-room.LastSeq)
	}
	f.wantCalls(1)
}

// While the log accepts no lines no query waits for it: the lines are written when it has room.
func TestFullLogHoldsNobodyUp(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	w := f.start(logged(t))
	f.ask(messages.Query{UserEmail: "signed@example.com"})
	f.wantRest()
	f.lines(1, 1)
	f.bound(messages.Log, 1)
	for n := range 3 {
		if r := f.ask(messages.Query{UserEmail: email("signed", n)}); r.Outcome != messages.Signed {
			t.Errorf("%+v", r)
		}
	}
	within(t, "the log is seen to be full", func() bool { return w.Stats().LogFull })
	if r := f.ask(messages.Query{UserEmail: email("signed", "more")}); r.Outcome != messages.Signed {
		t.Errorf("%+v", r)
	}
	f.wantCalls(5)
	if c := w.Condition().Degraded["query log"]; c != "its stream takes no lines: they wait" {
		t.Errorf("its condition says %q", c)
	}
	f.bound(messages.Log, 1<<20)
	f.lines(4, 4)
	f.wantRest()
}

// A worker that ends does not wait for more asks to share a line's message with: a line waits 20 ms
// for others otherwise.
func TestLinesDoNotDelayTheEnd(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	shortest := time.Hour
	for n := 0; n < 20 && shortest >= 15*time.Millisecond; n++ { // a busy machine needs more than one try
		m := f.start(logged(t))
		if r := f.ask(messages.Query{UserEmail: email("signed", n)}); r.Outcome != messages.Signed {
			t.Fatal(refusal(r))
		}
		begun := time.Now()
		if err := m.stop(); err != nil {
			t.Fatal(err)
		}
		shortest = min(shortest, time.Since(begun))
	}
	if shortest >= 15*time.Millisecond {
		t.Errorf("a worker with one line to write ended after %v at the earliest", shortest)
	}
	f.wantRest()
}
