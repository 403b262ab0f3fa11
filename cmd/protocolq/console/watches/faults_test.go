// Watches under faults: clocks that differ, a full stream of questions, a broken file, and a button
// pressed many times at once.

package watches

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// planned is the time in the server's schedule of a watch; 0 if it has no plan.
func (f *fleet) planned(n name) (d due) {
	f.t.Helper()
	stream, err := f.js.Stream(f.t.Context(), f.names.Stream(messages.Watches))
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := stream.GetLastMsgForSubject(f.t.Context(), f.names.Watch(messages.WatchPlan, n.owner, n.id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return due{}
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &d)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// own is the only watch of a user.
func (f *fleet) own(w *Watches, by string) found {
	f.t.Helper()
	own, err := w.store.list(f.t.Context(), ownerOf(by))
	if err != nil || len(own) != 1 {
		f.t.Fatalf("%+v %v", own, err)
	}
	return own[0]
}

// A button that is pressed many times at once, in any console, begins one watch.
func TestBegunAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	q := messages.Query{V: messages.Version, UserEmail: "a@example.com"}
	const presses = 8
	words, start := make([]string, presses), make(chan struct{})
	var pressing sync.WaitGroup
	for i := range presses {
		w := f.console(false)
		w.o.Every = time.Hour
		pressing.Go(func() {
			<-start
			var err error
			if words[i], err = w.Begin(t.Context(), "li", "a***@e***.com", q); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	pressing.Wait()
	slices.Sort(words)
	if want := append(slices.Repeat([]string{"already"}, presses-1), "begun"); !slices.Equal(words, want) {
		t.Errorf("they were told %q, want %q", words, want)
	}
	w := f.console(false)
	f.own(w, "li")
	w.o.Every = time.Hour
	f.run(w) // what is nobody's ends
	eventually(t, "only what has begun is planned", func() bool {
		n, err := w.store.planned(t.Context())
		return err == nil && n == 1
	})
}

// A console whose clock is behind the server's goes on after the question of that time. So does a
// question that was to be asked and has no next plan.
func TestClockBehindTheServers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	w := f.console(false)
	w.o.Every = time.Hour
	f.begin(w, "li", "a@example.com", "begun")
	first := f.own(w, "li")
	after := first.DueMs + time.Hour.Milliseconds()
	if err := w.due(t.Context(), first.name, first.DueMs); err != nil { // an hour too early, by this clock
		t.Fatal(err)
	}
	asked := f.own(w, "li")
	if at := f.planned(first.name).AtMs; asked.Open != first.question(first.DueMs) || asked.DueMs != after || at != after {
		t.Errorf("due at %d, planned at %d, want %d: %+v", asked.DueMs, at, after, asked.record)
	}
	stream, err := f.js.Stream(t.Context(), f.names.Stream(messages.Watches))
	if err == nil {
		err = stream.Purge(t.Context(), jetstream.WithPurgeSubject(f.names.Watch(messages.WatchPlan, "*", "*")))
	}
	if asked.Sent = false; err == nil {
		err = w.store.put(t.Context(), &asked)
	}
	if err == nil {
		err = w.due(t.Context(), first.name, first.DueMs)
	}
	if at := f.planned(first.name).AtMs; err != nil || at != after {
		t.Errorf("planned at %d, want %d, %v", at, after, err)
	}
}

// full is an asker that has no room for questions.
type full struct{ Asker }

var errFull = errors.New("the stream is full")

func (full) Submit(context.Context, messages.Query) (ask.Ack, error) { return ask.Ack{}, errFull }

// No reply is awaited for a question that was never submitted: the next time has its own question.
func TestNeverSubmitted(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	w := f.console(false)
	w.o.Every = time.Hour
	f.begin(w, "li", "a@example.com", "begun")
	first, asker := f.own(w, "li"), w.o.Asker
	w.o.Asker = full{}
	if err := w.due(t.Context(), first.name, first.DueMs); !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	w.o.Asker = asker
	next := first.DueMs + time.Hour.Milliseconds()
	for range 2 { // the acknowledgement of the first is lost
		if err := w.due(t.Context(), first.name, next); err != nil {
			t.Fatal(err)
		}
	}
	if r := f.own(w, "li"); r.Open != first.question(next) {
		t.Errorf("open %q", r.Open)
	}
	stream, err := f.js.Stream(t.Context(), f.names.Stream(messages.Submitted))
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d questions wait", n)
	}
}

// While it is not known whether a user may ask, the watch waits. A watch past its end ends.
func TestUnknownWhetherItMay(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	w := f.console(false)
	w.o.Every = time.Hour
	f.begin(w, "li", "a@example.com", "begun")
	first := f.own(w, "li")
	f.may, f.fault = false, errors.New("the file of users is broken")
	if err := w.due(t.Context(), first.name, first.DueMs); !errors.Is(err, f.fault) {
		t.Errorf("due: %v", err)
	}
	if r := f.own(w, "li"); r.seq != first.seq {
		t.Errorf("it is now %+v", r.record)
	}
	if err := w.due(t.Context(), first.name, first.BegunMs+lasts*time.Hour.Milliseconds()); err != nil {
		t.Error(err)
	}
	if r := f.own(w, "li"); r.State != over {
		t.Errorf("it is now %+v", r.record)
	}
}

// behind has a console read a watch from here on as it is now, as from a server of a cluster that
// has not got yet what is written from here on.
func (f *fleet) behind(w *Watches, n name) {
	f.t.Helper()
	body, err := json.Marshal(getRequest{Last: f.names.Watch(messages.WatchKept, n.owner, n.id)})
	if err != nil {
		f.t.Fatal(err)
	}
	direct := ".DIRECT.GET." + f.names.Stream(messages.Watches)
	was, err := f.nc.RequestWithContext(f.t.Context(), "$JS.API"+direct, body)
	if err != nil {
		f.t.Fatal(err)
	}
	behind := f.nc.NewInbox()
	if _, err := f.nc.Subscribe(behind+direct, func(m *nats.Msg) {
		if err := m.RespondMsg(&nats.Msg{Header: was.Header, Data: was.Data}); err != nil {
			f.t.Error(err)
		}
	}); err != nil {
		f.t.Fatal(err)
	}
	w.store.api = behind
}

// A server that does not have the end of a watch yet, and is asked for it, costs no telling, and
// does not put one off until the next question.
func TestServerBehind(t *testing.T) {
	t.Parallel()
	f, secret := newFleet(t), webhook.NewSecret()
	w := f.console(false)
	w.o.Every = time.Hour
	hooked(w, newReceiver(t, secret), secret)
	f.begin(w, "li", "a@example.com", "begun")
	li := f.own(w, "li")
	f.begin(w, "wang", "b@example.com", "begun")
	wang := f.own(w, "wang")

	f.behind(w, li.name)
	if err := w.due(t.Context(), li.name, li.BegunMs+lasts*time.Hour.Milliseconds()); !errors.Is(err, errOwed) {
		t.Fatal(err)
	}
	if err := w.tell(t.Context(), li.name, 0); err == nil {
		t.Error("what is due is acknowledged, and nobody is told")
	}

	w.store.api = "$JS.API"
	f.behind(w, wang.name)
	r := messages.Result{ID: wang.question(wang.DueMs), Outcome: messages.Signed}
	if err := w.hear(t.Context(), ask.Reply{Result: r}); err != nil {
		t.Fatal(err)
	}
	if at := f.planned(wang.name).AtMs; at >= wang.DueMs {
		t.Errorf("it is told at %d, when the next question was due", at)
	}
}
