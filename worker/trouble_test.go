// Trouble of all kinds: streams made anew, full logs, deaths between two steps, drains at the wrong
// moment.

package worker_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/querylog"
	"protocolq/worker/retry"
)

// Streams deleted and provisioned again: a running worker serves again.
func TestStreamsMadeAnew(t *testing.T) {
	for _, what := range []string{"stream", "consumer"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, simulator.Options{})
			f.start()
			f.ask(messages.Query{UserEmail: email("signed", 1)})
			f.wantRest()
			if what == "stream" {
				for _, k := range messages.Kinds() {
					if err := f.js.DeleteStream(t.Context(), f.names.Stream(k)); err != nil {
						t.Fatal(err)
					}
				}
			} else {
				if err := f.js.DeleteConsumer(t.Context(), f.names.Stream(messages.Submitted), messages.ConsumerSubmitted); err != nil {
					t.Fatal(err)
				}
			}
			<-time.After(500 * time.Millisecond)
			f.provision()
			// For 12 s workers doubt that the journal is gone, and then they make no call for a lease:
			// askers are told meanwhile to ask again.
			within(t, "answered after the streams were made anew", func() bool {
				r := f.ask(messages.Query{UserEmail: email("signed", 2)})
				return r.Outcome == messages.Signed
			})
		})
	}
}

// Each call of the gateway is an attempt in the query log, even if its asker left before the second
// call.
func TestAttemptsOfALeftRunAreLogged(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(logged(t), func(o *worker.Options) {
		o.AskPatience = 1500 * time.Millisecond
		o.Retry = retry.Policy{Initial: 4 * time.Second, Max: 4 * time.Second}
	})
	// The first call fails, and the wait before the second outlasts the asker. The wait is drawn from
	// 0 to 8 s, so there are several.
	for _, r := range f.askMany("system-error", 10) {
		if r.Outcome != messages.Unknown {
			t.Errorf("told %s", refusal(r))
		}
	}
	c, err := f.js.Consumer(t.Context(), f.names.Stream(messages.Log), messages.ConsumerRecorder)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	within(t, "as many attempts in the query log as calls at the gateway", func() bool {
		b, err := c.Fetch(1000, jetstream.FetchMaxWait(200*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		for m := range b.Messages() {
			if _ = m.Ack(); m.Subject() != f.names.LogRun() {
				continue
			}
			runs, err := querylog.DecodeRuns(m.Data())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range runs {
				got += len(r.Attempts)
			}
		}
		return got >= 10 && got == f.calls()
	})
}

// askMany asks for a number of accounts that play a part, at once.
func (f *fleet) askMany(part string, n int) []messages.Result {
	results := make([]messages.Result, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			r, err := f.try(messages.Query{UserEmail: email(part, i)})
			if err != nil {
				f.t.Error(err)
			}
			results[i] = r
		})
	}
	all.Wait()
	return results
}

// With the log full, an asker still gets OVERLOADED, and a bad message its refusal.
func TestFullLogLeavesNobodyInSilence(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	w := f.start(logged(t))
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Log))
	if err != nil {
		t.Fatal(err)
	}
	config := s.CachedInfo().Config
	config.MaxBytes = 1
	if _, err := f.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = f.try(messages.Query{UserEmail: "signed+2@example.com"}) }()
	within(t, "the log is seen to be full", func() bool { return w.Stats().LogFull })
	body := func(i int) []byte {
		b, _ := messages.Query{V: 1, UserEmail: email("signed", i)}.Encode(messages.MsgPack)
		return b
	}
	for i := range 400 {
		if _, err := f.nc.Request(f.names.Query(), body(i), time.Minute); err != nil {
			t.Errorf("asker %d hears nothing: %v", i, err)
			break
		}
	}
	if _, err := f.nc.Request(f.names.Query(), []byte(`{"v":1,"nonsense":1}`), time.Minute); err != nil {
		t.Errorf("a bad message is not answered: %v", err)
	}
	config.MaxBytes = 1 << 20
	_, _ = f.js.UpdateStream(t.Context(), config)
}

// If a worker dies between the answer's batch and the run's line, the worker that serves the
// waiting query next logs the run.
func TestRunOfAWaitingQueryIsLoggedAfterADeath(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	victim := f.start(logged(t), cooldown(time.Second), quick(worker.Rerun), func(o *worker.Options) { o.RetryBudget = 1; o.Retry = retry.Policy{Attempts: 1} })
	c := f.replies()
	f.submit(messages.Query{ID: "w", UserEmail: "system-error-1@example.com"})
	within(t, "the query waits", func() bool { return f.waiting() == 1 })
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
	within(t, "second run stored, its line is not written", func() bool { return f.calls() == 2 && victim.Stats().LogFull })
	victim.die()
	config.MaxBytes = room
	if _, err := f.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	f.start(logged(t), cooldown(time.Second), quick(worker.Rerun))
	if r := f.reply(c); r.Outcome != messages.Signed {
		t.Errorf("%+v", r)
	}
	f.wantRest()
	<-time.After(time.Second)
	runs := f.runsLogged()
	t.Logf("%d runs, %d calls, victim %+v", runs, f.calls(), victim.Stats())
	if runs != 2 {
		t.Errorf("%d calls, %d runs in the query log", f.calls(), runs)
	}
}

// runsLogged counts the runs in the query log, each once.
func (f *fleet) runsLogged() int {
	f.t.Helper()
	c, err := f.js.Consumer(f.t.Context(), f.names.Stream(messages.Log), messages.ConsumerRecorder)
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := c.Fetch(1000, jetstream.FetchMaxWait(2*time.Second))
	if err != nil {
		f.t.Fatal(err)
	}
	runs := map[string]bool{}
	for m := range b.Messages() {
		if m.Subject() != f.names.LogRun() {
			continue
		}
		list, err := querylog.DecodeRuns(m.Data())
		if err != nil {
			f.t.Fatal(err)
		}
		for _, r := range list {
			runs[r.ID] = true
		}
	}
	return len(runs)
}

// During a drain no call begins that the end of the grace would cut: its result would be unknown,
// and with fail its asker would get CRASHED.
func TestDrainCutsNoCall(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	said := make(chan string, 100)
	slow := func(name string) func(*worker.Options) {
		return func(o *worker.Options) {
			o.AfterCrash, o.Grace = worker.Fail, 2*time.Second
			o.Gateway = asker(func(ctx context.Context, _ gateway.Query, _ func() error) (gateway.Answer, gateway.Report, error) {
				said <- name + " begins"
				r := gateway.Report{At: time.Now()}
				select {
				case <-ctx.Done():
					said <- name + " cut"
					return gateway.Answer{}, r, ctx.Err()
				case <-time.After(1500 * time.Millisecond):
					said <- name + " ends"
				}
				return gateway.Answer{}, r, &gateway.Error{Code: "SYSTEM_ERROR", Class: mapi.Temp}
			})
		}
	}
	first := f.start(slow("a"))
	reply := make(chan messages.Result, 1)
	go func() {
		r, _ := f.try(messages.Query{UserEmail: "signed@example.com"})
		reply <- r
	}()
	within(t, "the call is under way", func() bool { return len(said) > 0 })
	f.start(slow("b"))
	<-time.After(500 * time.Millisecond)
	if err := first.stop(); err != nil {
		t.Log(err)
	}
	if r := <-reply; r.Code != "SYSTEM_ERROR" || r.RetryAfterMs <= 0 {
		t.Errorf("told %s", refusal(r))
	}
	for range len(said) {
		if s := <-said; s == "a cut" {
			t.Error("a call was cut")
		}
	}
}

// A worker ends within its grace and a little more, also while NATS is away.
func TestDrainWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: time.Second}, func(s *setup) {
		s.server.DontListen, s.server.Host, s.server.Port = false, "127.0.0.1", server.RANDOM_PORT
	})
	m := f.start(func(o *worker.Options) { o.Grace = 2 * time.Second })
	m.dies = true
	for i := range 20 {
		f.submit(messages.Query{UserEmail: email("signed", i)})
	}
	within(t, "calls", func() bool { return f.gateway.Stats().InFlight > 0 })
	f.srv.Shutdown()
	f.srv.WaitForShutdown()
	begun := time.Now()
	err := m.stop()
	if d := time.Since(begun); d > 6*time.Second {
		t.Errorf("ended after %v with a grace of 2 s: %v", d, err)
	}
}

// The dead letter has the gateway's last code, even if the patience ended in the stream of waiting
// queries.
func TestLetterTellsTheLastCode(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(cooldown(2*time.Second), func(o *worker.Options) {
		o.Patience = 3500 * time.Millisecond
		o.RetryBudget = 1
		o.Retry = retry.Policy{Attempts: 1}
	})
	for i := range 5 {
		f.submit(messages.Query{ID: "late", UserEmail: email("system-error", i)})
	}
	dead, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Dead), jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		m, err := dead.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if c := m.Headers().Get(messages.HeaderLastCode); c != "SYSTEM_ERROR" {
			t.Errorf("last code %q, tries %s: %v", c, m.Headers().Get(messages.HeaderTries), m.Headers())
		}
	}
}

// An asker that got CRASHED under fail without waiting can be redriven: there is a dead letter.
func TestCrashedSubmittedQueryIsADeadLetter(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 900 * time.Millisecond})
	victim := f.start(quick(worker.Fail))
	c := f.replies()
	f.submit(messages.Query{ID: "crashed", UserEmail: "signed@example.com"})
	within(t, "the call is under way", func() bool { return f.gateway.Stats().InFlight == 1 })
	victim.die() // before its call ends, however long another takes to start
	f.start(quick(worker.Fail))
	if r := f.reply(c); r.Code != messages.Crashed {
		t.Fatalf("%+v", r)
	}
	within(t, "a dead letter: only a redrive calls again", func() bool { return f.stream(messages.Dead).Msgs == 1 })
	f.wantRest()
	f.wantCalls(1)
}

// An event shows nothing personal, not even in the asker's own key.
func TestEventMasksTheKey(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	events, err := f.nc.SubscribeSync("protocol.event.>")
	if err != nil {
		t.Fatal(err)
	}
	f.ask(messages.Query{UserEmail: "signed@example.com", Key: "refund-signed@example.com-1"})
	m, err := events.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(m.Data, []byte("signed@example.com")) {
		t.Errorf("%s", m.Data)
	}
}

// An outage costs at most 1.1 calls for each key and ten more for each worker.
func TestRetryBudgetBound(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start(func(o *worker.Options) { o.RetryBudget = 10 })
	const keys = 400
	for i := range keys {
		f.ask(messages.Query{UserEmail: email("system-error", i)})
	}
	if most := keys*11/10 + 10; f.calls() > most {
		t.Errorf("%d calls for %d keys, want at most %d", f.calls(), keys, most)
	}
}
