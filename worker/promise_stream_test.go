// Promises that hold while a stream is away, full, or has unreadable messages.

package worker_test

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// The stream of events is away for 6 s. No asker and no call waits for it, and the event of each
// run is there when it is back.
func TestPromiseEventsComeWhenTheirStreamIsBack(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 10 * time.Millisecond})
	slots := func(o *worker.Options) { o.Slots = 4 } // a run that kept its slot would show
	f.start(slots)
	f.start(slots)
	anew, back := f.remove(messages.Events), time.Now().Add(6*time.Second)
	const keys = 40
	for _, r := range f.askAll(many("signed", keys)...)() {
		if r.Outcome != messages.Signed || r.at.After(back) {
			t.Errorf("told %s after %v", refusal(r.Result), r.took)
		}
	}
	<-time.After(time.Until(back))
	anew()
	within(t, "an event of each run", func() bool { return len(f.eventsOf()) == keys })
	f.wantRest()
	for run := range f.answered() {
		if n := f.eventsOf()[run]; n != 1 {
			t.Errorf("run %s has %d events", run, n)
		}
	}
	f.wantCalls(keys)
}

// The stream of lines is away for a second under a hot key. Everything that got a reply is logged
// when it is back, except what is counted as lost.
func TestPromiseLinesAreCountedWhileTheirStreamIsAway(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	m := f.start(written(t))
	hot := messages.Query{UserEmail: "signed@example.com"}
	f.ask(hot)
	f.wantRest()
	anew, back := f.remove(messages.Log), time.Now().Add(time.Second)
	body, err := hot.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	var asked sync.WaitGroup
	var replied [8]int
	for i := range replied {
		asked.Go(func() {
			for time.Now().Before(back) {
				if _, err := f.nc.Request(f.names.Query(), body, time.Minute); err != nil {
					t.Error(err)
					return
				}
				replied[i]++
			}
		})
	}
	asked.Wait()
	anew()
	all := 0
	for _, n := range replied {
		all += n
	}
	logged := func() int {
		_, asks := f.rows()
		return len(asks) + int(m.Stats().LogLost)
	}
	within(t, "a line of each ask, or its loss counted", func() bool { return logged() >= all })
	if n := logged(); n != all || m.Stats().LogLost > 0 {
		t.Errorf("%d asks, %d lines, of which %d are lost", all, n, m.Stats().LogLost)
	}
}

// A late ask gets the remembered answer, if there is one, by both doors, without a call.
func TestPromiseLateAskIsToldWhatIsRemembered(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	f.start()
	first := f.ask(messages.Query{UserEmail: "signed@example.com"})
	late := messages.Query{ID: "late", UserEmail: "signed@example.com", DeadlineMs: time.Now().Add(-time.Minute).UnixMilli(), ReplyTo: f.names.ReplyOf("till")}
	for range 3 {
		f.submits(f.names.Submit(), late)
	}
	within(t, "the replies", func() bool { return len(f.durable()["late"]) == 3 })
	for _, r := range f.durable()["late"] {
		if r.Outcome != messages.Signed || r.Run != first.Run {
			t.Errorf("submitted: told %s", refusal(r))
		}
	}
	late.ReplyTo = ""
	if r := f.ask(late); r.Outcome != messages.Signed || r.Run != first.Run {
		t.Errorf("awaited: told %s", refusal(r))
	}
	f.wantCalls(1)
	late.UserEmail = "signed+another@example.com"
	if r := f.ask(late); r.Outcome != messages.Unknown || r.Code != messages.DeadlinePassed {
		t.Errorf("without an answer: told %s", refusal(r))
	}
	f.wantCalls(1)
}

// While the stream of dead letters is full, what must go there stays where it is: in the stream of
// submitted queries, or in the journal.
func TestPromiseNothingVanishesWhileDeadIsFull(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{}, func(s *setup) { s.provision.AckWait = 500 * time.Millisecond })
	f.start()
	room := f.room(messages.Dead, 1)
	const astray, expired = 5, 5
	for i := range astray {
		f.submits(f.names.Submit(), messages.Query{UserEmail: email("signed", i), ReplyTo: f.names.Followed()})
	}
	for i := range expired {
		f.submits(f.names.Submit(), messages.Query{UserEmail: email("signed", i), DeadlineMs: time.Now().Add(-time.Second).UnixMilli()})
	}
	within(t, "the expired ones in the journal", func() bool { return len(f.tokens()) == expired })
	if n := f.stream(messages.Submitted).Msgs; n != astray || f.owed() == 0 || f.stream(messages.Dead).Msgs != 0 {
		t.Errorf("%d submitted, want %d; %d owed", n, astray, f.owed())
	}
	room()
	within(t, "a letter of each", func() bool { return f.stream(messages.Dead).Msgs == astray+expired })
	f.wantRest()
	f.wantCalls(0)
}

// room leaves a stream that many bytes; the returned func restores its bound.
func (f *fleet) room(kind messages.Kind, bytes int64) (back func()) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(kind))
	if err != nil {
		f.t.Fatal(err)
	}
	config := s.CachedInfo().Config
	full := config
	full.MaxBytes = bytes
	if _, err := f.js.UpdateStream(f.t.Context(), full); err != nil {
		f.t.Fatal(err)
	}
	return func() {
		f.t.Helper()
		if _, err := f.js.UpdateStream(f.t.Context(), config); err != nil {
			f.t.Fatal(err)
		}
	}
}

// An unreadable batch in the journal, from a stranger or under the name of a live worker, causes
// one dead letter and one alarm, and all workers go on.
func TestPromiseUnreadableRecordIsPassedOver(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	var said alarms
	f.start(brief, said.hear)
	f.start(brief, said.hear)
	f.ask(messages.Query{UserEmail: "signed@example.com"})
	last := f.contents(messages.Journal)
	for i, subject := range []string{f.names.Journal() + "stranger", last[len(last)-1].Subject} {
		spoiled := []byte(strings.Clone(string(last[len(last)-1].Data)))
		spoiled[len(spoiled)-1] ^= 1
		if _, err := f.js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: spoiled}); err != nil {
			t.Fatal(err)
		}
		for _, r := range f.askAll(many("signed+"+subject[len(subject)-4:], 20)...)() {
			if r.Outcome != messages.Signed {
				t.Errorf("after a record of %s: told %s", subject, refusal(r.Result))
			}
		}
		within(t, "a dead letter of it", func() bool { return int(f.stream(messages.Dead).Msgs) == i+1 })
	}
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Source != messages.Remembered {
		t.Errorf("told %s, %s", r.Source, refusal(r))
	}
	f.wantCalls(41)
	for _, what := range []string{"by=stranger", "by=" + strings.TrimPrefix(last[len(last)-1].Subject, f.names.Journal())} {
		if !said.any("batch is corrupt", what) {
			t.Errorf("no alarm about %s among %q", what, said.lines)
		}
	}
}

// alarms are what workers log as errors and warnings.
type alarms struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (a *alarms) hear(o *worker.Options) {
	o.Logger = slog.New(slog.NewTextHandler(a, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Write implements io.Writer.
func (a *alarms) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines = append(a.lines, string(line))
	return len(line), nil
}

// any reports whether a line has all of these words.
func (a *alarms) any(words ...string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.lines, func(l string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l, w) })
	})
}
