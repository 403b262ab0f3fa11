// How workers begin and end: before their streams exist, in the middle of work, and without leaving
// anything behind.

package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// wave asks n queries about a number of accounts, all at once, and returns how to wait for the
// answers.
func (f *fleet) wave(n, accounts int) func() []messages.Result {
	results := make([]messages.Result, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r, err := f.again(messages.Query{UserEmail: email("signed", i%accounts)})
			if err != nil {
				f.t.Error(err)
			}
			results[i] = r
		})
	}
	return func() []messages.Result { wg.Wait(); return results }
}

// wantOneEach checks that so many accounts were called, and none twice.
func (f *fleet) wantOneEach(accounts int) {
	f.t.Helper()
	if s := f.gateway.Stats(); s.Accounts != accounts || s.Calls != uint64(accounts) {
		f.t.Errorf("%d calls for %d accounts, want one for each of %d", s.Calls, s.Accounts, accounts)
	}
}

func wantAll(t *testing.T, results []messages.Result, outcome messages.Outcome, code string) {
	t.Helper()
	for i, r := range results {
		if r.Outcome != outcome || r.Code != code {
			t.Fatalf("ask %d was told %s, want %s %s", i, refusal(r), outcome, code)
		}
	}
}

// A worker that is stopped finishes what it has begun; the other takes the rest.
func TestDrainLosesNothing(t *testing.T) {
	f := newFleet(t, simulator.Options{Latency: 300 * time.Millisecond})
	leaving := f.start()
	f.start()
	answers := f.wave(200, 60)
	within(t, "calls under way", func() bool { return f.gateway.Stats().InFlight >= 10 && leaving.Stats().InFlight > 0 })
	begun := time.Now()
	if err := leaving.stop(); err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("ended after %v with %v", time.Since(begun), err)
	}
	wantAll(t, answers(), messages.Signed, "")
	f.wantOneEach(60)
	f.wantRest()
	if s := leaving.Stats(); s.Parked != 0 || s.InFlight != 0 {
		t.Errorf("left behind: %d parked, %d in flight", s.Parked, s.InFlight)
	}
}

// Workers leave one after another while asks keep coming, each replaced by a new one: a rolling
// restart.
func TestRollingRestart(t *testing.T) {
	f := newFleet(t, simulator.Options{Latency: 50 * time.Millisecond})
	old := []*member{f.start(), f.start()}
	answers := f.wave(100, 50)
	for i, m := range old {
		f.start()
		more := f.wave(50*(i+2), 50*(i+2))
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		wantAll(t, more(), messages.Signed, "")
	}
	wantAll(t, answers(), messages.Signed, "")
	f.wantOneEach(150)
	f.wantRest()
}

func TestWorkerBeforeItsStreams(t *testing.T) {
	f := newFleet(t, simulator.Options{}, func(s *setup) { s.bare = true })
	m := f.begin()
	<-time.After(150 * time.Millisecond) // more than one try
	if m.isReady() {
		t.Error("ready without any stream")
	}
	f.provision()
	within(t, "worker ready", m.isReady)
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Outcome != messages.Signed {
		t.Errorf("told %s", refusal(r))
	}
}

// A worker that still waits for its streams, or for one consumer, ends at once when stopped.
func TestEndWhileWaiting(t *testing.T) {
	for name, prepare := range map[string]func(f *fleet){
		"streams": func(*fleet) {},
		"consumer": func(f *fleet) {
			f.provision()
			if err := f.js.DeleteConsumer(f.t.Context(), f.names.Stream(messages.Submitted), messages.ConsumerSubmitted); err != nil {
				f.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, simulator.Options{}, func(s *setup) { s.bare = true })
			prepare(f)
			m := f.begin()
			m.dies = true
			<-time.After(150 * time.Millisecond)
			ended := make(chan error, 1)
			go func() { ended <- m.stop() }()
			select {
			case err := <-ended:
				if err != nil && !errors.Is(err, context.Canceled) || m.isReady() {
					t.Errorf("ended with %v, ready %v", err, m.isReady())
				}
			case <-time.After(5 * time.Second):
				t.Error("not ended after 5 s")
			}
		})
	}
}
