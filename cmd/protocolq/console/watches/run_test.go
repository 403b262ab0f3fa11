// Watches on a real server: a due question is asked once, by any console, and its reply is kept.

package watches

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
)

// fleet is a server with the streams, and played workers.
type fleet struct {
	t     *testing.T
	nc    *nats.Conn
	js    jetstream.JetStream
	names messages.Names

	mu    sync.Mutex // guards the rest
	said  messages.Result
	may   bool
	fault error // of May
	asked []messages.Query
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	nc, js := natstest.JetStream(t)
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, nc: nc, js: js, names: names, may: true, said: messages.Result{Outcome: messages.NotSigned, Code: "NO_SIGN_CUSTOMER"}}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: names}); err != nil {
		t.Fatal(err)
	}
	return f
}

// work answers submitted queries until the test ends.
func (f *fleet) work() {
	f.t.Helper()
	consumer, err := f.js.Consumer(f.t.Context(), f.names.Stream(messages.Submitted), messages.ConsumerSubmitted)
	if err != nil {
		f.t.Fatal(err)
	}
	working, err := consumer.Consume(func(m jetstream.Msg) {
		e, _ := f.names.ParseEnvelope(m.Subject(), m.Headers(), m.Data())
		q, _, err := e.Query()
		f.mu.Lock()
		f.asked = append(f.asked, q)
		r := f.said
		f.mu.Unlock()
		r.V, r.ID, r.Run = messages.Version, q.ID, "run"+q.ID
		data, derr := r.Encode(messages.JSON)
		if err = errors.Join(err, derr); err == nil {
			_, err = f.js.PublishMsg(f.t.Context(), &nats.Msg{Subject: f.names.ReplyOf(messages.ConsoleName), Data: data,
				Header: nats.Header{messages.HeaderContentType: {string(messages.JSON)}}})
		}
		if err != nil && f.t.Context().Err() == nil {
			f.t.Error(err)
		}
		_ = m.Ack()
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(working.Stop)
}

func (f *fleet) says(r messages.Result) { f.mu.Lock(); defer f.mu.Unlock(); f.said = r }
func (f *fleet) count() int             { f.mu.Lock(); defer f.mu.Unlock(); return len(f.asked) }

// console is one process; it runs if run is true.
func (f *fleet) console(run bool) *Watches {
	f.t.Helper()
	asker, err := ask.New(f.nc, ask.Options{Asker: messages.ConsoleName})
	if err != nil {
		f.t.Fatal(err)
	}
	w := New(Options{NATS: f.nc, JetStream: f.js, Names: f.names, Asker: asker, Every: time.Second,
		Logger: slog.New(slog.NewTextHandler(f.t.Output(), nil)),
		May:    func(string, string) (bool, error) { f.mu.Lock(); defer f.mu.Unlock(); return f.may, f.fault }})
	if run {
		f.run(w)
	}
	return w
}

func (f *fleet) run(w *Watches) {
	var running sync.WaitGroup
	running.Go(func() { w.Run(f.t.Context()) })
	f.t.Cleanup(running.Wait)
}

func (f *fleet) begin(w *Watches, by, email, want string) {
	f.t.Helper()
	if word, err := w.Begin(f.t.Context(), by, messages.MaskEmail(email), messages.Query{V: messages.Version, ID: "page-x", UserEmail: email}); err != nil || word != want {
		f.t.Fatalf("%s watches %s: %q %v, want %q", by, email, word, err, want)
	}
}

// is waits until the only watch of a user is in this state.
func (f *fleet) is(w *Watches, by, what string, so func(record) bool) (last record) {
	f.t.Helper()
	eventually(f.t, what, func() bool {
		own, err := w.store.list(f.t.Context(), ownerOf(by))
		if err != nil || len(own) != 1 {
			return false
		}
		last = own[0].record
		return so(last)
	})
	return last
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 2 minutes: %s", what)
		}
	}
}

// Two consoles share what is due: each question is asked once, until the customer has signed.
func TestWatchUntilSigned(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.work()
	w, other := f.console(true), f.console(true)
	f.begin(w, "li", "canary@example.com", "begun")
	f.begin(other, "li", "Canary@example.com", "already")
	f.is(w, "li", "two answers", func(r record) bool { return f.count() >= 2 && r.Last != nil })
	if n, err := w.Signed(t.Context(), "li"); n != 0 || err != nil {
		t.Errorf("%d have signed, %v", n, err)
	}
	yes := true
	f.says(messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, UserID: "2088611907349595"})
	r := f.is(w, "li", "the customer has signed", func(r record) bool { return r.State == signed })
	if r.Query != nil || !strings.Contains(r.Shown, "***") || r.Last.UserID != "" || r.EndedMs == 0 {
		t.Errorf("kept %+v", r)
	}
	if n, err := other.Signed(t.Context(), "li"); n != 1 || err != nil {
		t.Errorf("%d have signed, %v", n, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]bool{}
	for _, q := range f.asked {
		n, ok := nameIn(q.ID)
		if seen[q.ID] || !ok || n.owner != ownerOf("li") || q.UserEmail != "canary@example.com" || q.MaxAgeMs == nil || *q.MaxAgeMs != fresh {
			t.Errorf("asked %+v", q)
		}
		seen[q.ID] = true
	}
}

// While workers are away one question waits, and no other is asked. The console that takes over
// goes on.
func TestOneQuestionWaits(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	w := f.console(true)
	f.begin(w, "li", "a@example.com", "begun")
	first := f.is(w, "li", "a question", func(r record) bool { return r.Open != "" })
	f.is(w, "li", "the next times pass", func(r record) bool { return r.DueMs >= first.DueMs+2000 })
	stream, err := f.js.Stream(t.Context(), f.names.Stream(messages.Submitted))
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d questions wait", n)
	}
	f.work()
	f.is(w, "li", "the answer", func(r record) bool { return r.Last != nil && r.LastMs > 0 })
}

// If a process dies in the middle of a step, the rest is done when the message comes again.
func TestDiedBeforeItAsked(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.work()
	w := f.console(false)
	f.begin(w, "li", "a@example.com", "begun")
	own, err := w.store.list(t.Context(), ownerOf("li"))
	if err != nil || len(own) != 1 {
		t.Fatalf("%+v %v", own, err)
	}
	dueMs := own[0].DueMs
	own[0].Open, own[0].AskedMs, own[0].DueMs = own[0].question(dueMs), time.Now().UnixMilli(), dueMs+1000
	if err := w.store.put(t.Context(), &own[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.due(t.Context(), own[0].name, dueMs); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is asked", func() bool { return f.count() == 1 })
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked[0].ID != own[0].Open {
		t.Errorf("asked %+v", f.asked[0])
	}
}

// After a cancellation nothing more is asked. A user who may no longer ask watches nobody.
func TestCancelledAndLost(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.work()
	w := f.console(true)
	f.begin(w, "li", "a@example.com", "begun")
	own, err := w.store.list(t.Context(), ownerOf("li"))
	if err != nil || len(own) != 1 {
		t.Fatalf("%+v %v", own, err)
	}
	if shown, err := w.stop(t.Context(), "wang", own[0].id); shown != "" || err != nil {
		t.Errorf("another user's: %q %v", shown, err)
	}
	if shown, err := w.stop(t.Context(), "li", own[0].id); shown == "" || err != nil {
		t.Errorf("%q %v", shown, err)
	}
	if shown, err := w.stop(t.Context(), "li", own[0].id); shown != "" || err != nil {
		t.Errorf("twice: %q %v", shown, err)
	}
	f.mu.Lock()
	f.may = false
	f.mu.Unlock()
	f.begin(w, "wang", "b@example.com", "begun")
	if r := f.is(w, "wang", "the end", func(r record) bool { return r.State == lost }); r.Query != nil {
		t.Errorf("kept %+v", r)
	}
	if r := f.is(w, "li", "the cancelled one", func(record) bool { return true }); r.State != cancelled || r.Query != nil || r.Shown != "" {
		t.Errorf("kept %+v", r)
	}
	if list := rows(own); len(list) != 1 {
		t.Errorf("%+v", list)
	}
	if own, err := w.store.list(t.Context(), ownerOf("li")); err != nil || len(rows(own)) != 0 {
		t.Errorf("a cancelled one is shown: %+v %v", own, err)
	}
	if n := f.count(); n > 1 {
		t.Errorf("asked %d times", n)
	}
}

// If the streams, or the server, are too old for watches, the console says so and watches nobody.
func TestNotReady(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	if err := f.console(false).Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := f.js.DeleteConsumer(t.Context(), f.names.Stream(messages.Replies), messages.ConsoleName); err != nil {
		t.Fatal(err)
	}
	if err := f.console(false).Ready(t.Context()); !errors.Is(err, ErrNoStream) {
		t.Errorf("without a consumer: %v", err)
	}
	if err := f.js.DeleteStream(t.Context(), f.names.Stream(messages.Watches)); err != nil {
		t.Fatal(err)
	}
	if err := f.console(false).Ready(t.Context()); !errors.Is(err, ErrNoStream) {
		t.Errorf("without a stream: %v", err)
	}
	f.nc.Close()
	if err := f.console(false).Ready(t.Context()); err == nil || errors.Is(err, ErrNoStream) {
		t.Errorf("without NATS: %v", err)
	}
}

// The whole list is read, and each user sees only their own watches.
func TestListIsReadInPages(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	w := f.console(false)
	var ids []string
	for i := range pageOf + 3 {
		one := found{name: name{ownerOf("li"), fmt.Sprint("w", i)}, record: record{By: "li", State: over}}
		if err := w.store.put(t.Context(), &one); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, one.id)
	}
	other := found{name: name{ownerOf("wang"), "w1"}, record: record{By: "wang"}}
	if err := w.store.put(t.Context(), &other); err != nil {
		t.Fatal(err)
	}
	own, err := w.store.list(t.Context(), ownerOf("li"))
	var got []string
	for _, one := range own {
		got = append(got, one.id)
	}
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("%d of %d, %v", len(got), len(ids), err)
	}
	if seq, err := w.store.newest(t.Context(), ownerOf("li")); err != nil || seq != own[len(own)-1].seq {
		t.Errorf("newest %d, %v", seq, err)
	}
	if len(rows(own)) != mostShown {
		t.Errorf("%d are shown", len(rows(own)))
	}
	own[0].seq--
	if err := w.store.put(t.Context(), &own[0]); !errors.Is(err, errChanged) {
		t.Errorf("written over what has changed: %v", err)
	}
}
