// Workers that die over a call, a server that goes away and comes back: everybody is answered,
// nothing is asked twice beyond need.

package worker_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/dedupe"
)

// die cuts a worker off from one moment to the next, as kill -9 does for the rest of the world.
func (m *member) die() {
	m.dies = true
	m.o.NATS.Close()
	m.o.Reply.Close()
}

func quick(after dedupe.AfterCrash) func(*worker.Options) {
	return func(o *worker.Options) { o.Lease, o.AfterCrash, o.Grace = 1500*time.Millisecond, after, time.Second }
}

func TestWorkerDiesOverItsCalls(t *testing.T) {
	t.Parallel()
	const keys, askers = 10, 30
	tests := []struct {
		after   dedupe.AfterCrash
		outcome messages.Outcome
		code    string
		calls   uint64
	}{
		{dedupe.Rerun, messages.Signed, "", 2 * keys},
		{dedupe.Fail, messages.Unknown, messages.Crashed, keys},
	}
	for _, tt := range tests {
		t.Run(string(tt.after), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, simulator.Options{Latency: 600 * time.Millisecond}, func(s *setup) { s.provision.AckWait = time.Second })
			victim := f.start(quick(tt.after))
			answers := f.wave(askers, keys)
			within(t, 20*time.Second, "all calls under way", func() bool { return f.gateway.Stats().InFlight == keys })
			heir := f.start(quick(tt.after))
			begun := time.Now()
			victim.die()
			wantAll(t, answers(), tt.outcome, tt.code)
			// AckWait 1 s, then lease 1.5 s and grace 2 s, the call 0.6 s; and what two busy cores
			// need.
			if d := time.Since(begun); d > 10*time.Second {
				t.Errorf("answered %v after the death", d)
			}
			if s := f.gateway.Stats(); s.Calls != tt.calls {
				t.Errorf("%d calls, want %d: one for each of %d keys, and one more where the owner died", s.Calls, tt.calls, keys)
			}
			f.wantRest()
			if tt.after == dedupe.Fail { // final for those who waited; who asks now is answered
				if r := f.ask(messages.Query{UserEmail: email("signed", 0)}); r.Outcome != messages.Signed {
					t.Errorf("asked anew: %s", refusal(r))
				}
			}
			if s := heir.Stats(); s.Takeovers == 0 && tt.after == dedupe.Rerun {
				t.Error("nothing was taken over")
			}
		})
	}
}

// A worker that can tell nobody any more ends, and what it held is answered by others.
func TestReplyConnectionClosed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 300 * time.Millisecond})
	mute := f.start(quick(dedupe.Rerun))
	mute.dies = true
	answers := f.wave(20, 5)
	within(t, 20*time.Second, "calls under way", func() bool { return f.gateway.Stats().InFlight > 0 })
	f.start(quick(dedupe.Rerun))
	mute.o.Reply.Close()
	wantAll(t, answers(), messages.Signed, "")
	wantAll(t, f.wave(20, 20)(), messages.Signed, "")
	f.wantRest()
	if s := f.gateway.Stats(); s.Doubles != 0 {
		t.Errorf("%d conclusive answers too many", s.Doubles)
	}
	ended := make(chan error, 1)
	go func() { ended <- mute.stop() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("ended without saying that its connection is closed")
		}
	case <-time.After(10 * time.Second):
		t.Error("not ended after 10 s")
	}
}

// The server goes away in the middle of the calls and comes back with what it had stored.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	const keys, askers = 20, 60
	f := newFleet(t, simulator.Options{Latency: time.Second}, func(s *setup) {
		s.server.DontListen, s.server.Host, s.server.Port = false, "127.0.0.1", server.RANDOM_PORT
	})
	f.set.server.Port = f.srv.Addr().(*net.TCPAddr).Port
	one, other := f.start(), f.start()
	answers := f.wave(askers, keys)
	within(t, 20*time.Second, "all asks stored and parked, all calls under way", func() bool {
		return one.Stats().Parked+other.Stats().Parked == askers && f.gateway.Stats().InFlight == keys
	})
	f.srv.Shutdown()
	f.srv.WaitForShutdown()
	within(t, 20*time.Second, "half of the calls ended while the server is away", func() bool { return f.gateway.Stats().Conclusive >= keys/2 })
	f.serve()
	wantAll(t, answers(), messages.Signed, "")
	f.wantOneEach(keys)
	f.wantRest()
	if r := f.ask(messages.Query{UserEmail: email("signed", "afterwards")}); r.Outcome != messages.Signed {
		t.Errorf("asked afterwards: %s", refusal(r))
	}
}

// asker is a gateway made of a func.
type asker func(ctx context.Context, q gateway.Query, fence func() error) (gateway.Answer, gateway.Report, error)

func (a asker) Ask(ctx context.Context, q gateway.Query, fence func() error) (gateway.Answer, gateway.Report, error) {
	return a(ctx, q, fence)
}

// A query over which every worker panics is given up at the third time, told, and written down
// once.
func TestPoison(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	calls := make(chan string, 100)
	poisoned := func(o *worker.Options) {
		o.Gateway = asker(func(context.Context, gateway.Query, func() error) (gateway.Answer, gateway.Report, error) {
			calls <- "call"
			panic("drawn by the test")
		})
	}
	f.start(poisoned)
	f.start(poisoned)
	if r := f.ask(messages.Query{ID: "poison", UserEmail: "signed@example.com"}); r.Outcome != messages.Unknown || r.Code != messages.Crashed || r.ID != "poison" {
		t.Errorf("told %s", refusal(r))
	}
	f.wantRest()
	dead, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Dead), jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := dead.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := messages.DecodeQuery(m.Data(), m.Headers().Get(messages.HeaderContentType))
	if m.Subject() != f.names.Dead(messages.DeadPoison) || err != nil || q.UserEmail != "signed@example.com" {
		t.Errorf("dead letter %s %v: %v", m.Subject(), m.Headers(), err)
	}
	for range 3 { // in the cool-down it is told at once, and not tried
		if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Code != messages.Crashed {
			t.Errorf("told %s", refusal(r))
		}
	}
	if extra, err := dead.Next(jetstream.FetchMaxWait(200 * time.Millisecond)); err == nil {
		t.Errorf("a second dead letter: %s %v", extra.Subject(), extra.Headers())
	}
	if len(calls) != 3 {
		t.Errorf("%d calls, want 3", len(calls))
	}
}
