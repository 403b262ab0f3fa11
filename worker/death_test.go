// Workers that die during a call, a server that goes away and comes back: every asker gets an
// answer, and nothing is asked twice without need.

package worker_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// die cuts a worker off from one moment to the next, as kill -9 does for the rest of the world.
func (m *member) die() {
	m.dies = true
	m.o.NATS.Close()
	m.o.Reply.Close()
}

// quick are settings with which a death is soon over.
func quick(after worker.AfterCrash) func(*worker.Options) {
	return func(o *worker.Options) {
		o.Lease, o.CallTime, o.AfterCrash, o.Grace = 4*time.Second, 2*time.Second, after, time.Second
	}
}

func TestWorkerDiesOverItsCalls(t *testing.T) {
	t.Parallel()
	const keys, askers = 10, 30
	tests := []struct {
		after   worker.AfterCrash
		outcome messages.Outcome
		code    string
		calls   uint64
	}{
		{worker.Rerun, messages.Signed, "", 2 * keys},
		{worker.Fail, messages.Unknown, messages.Crashed, keys},
	}
	for _, tt := range tests {
		t.Run(string(tt.after), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, simulator.Options{Latency: 1200 * time.Millisecond})
			victim := f.start(quick(tt.after))
			answers := f.wave(askers, keys)
			// Who is not in the log yet when the only worker dies is answered by nobody.
			within(t, "all asks journalled, all calls under way", func() bool {
				return f.gateway.Stats().InFlight == keys && f.owed() == askers
			})
			begun := time.Now()
			victim.die() // before its calls end, however long another takes to start
			heir := f.start(quick(tt.after))
			wantAll(t, answers(), tt.outcome, tt.code)
			// A worker is sealed after 3 s at most. Then come the rest of its lease of 4 s and 2 s of grace,
			// the call of 0.6 s, and what busy cores need.
			if d := time.Since(begun); d > time.Minute {
				t.Errorf("answered %v after the death", d)
			}
			if s := f.gateway.Stats(); s.Calls != tt.calls {
				t.Errorf("%d calls, want %d: one for each of %d keys, and one more where the owner died", s.Calls, tt.calls, keys)
			}
			f.wantRest()
			if tt.after == worker.Fail { // final for those who waited; a new asker gets an answer
				if r := f.ask(messages.Query{UserEmail: email("signed", 0)}); r.Outcome != messages.Signed {
					t.Errorf("asked anew: %s", refusal(r))
				}
			}
			if s := heir.Stats(); s.Outcomes[string(tt.outcome)] < askers {
				t.Errorf("the heir replied %v, want %d of %s", s.Outcomes, askers, tt.outcome)
			}
		})
	}
}

// A worker that can reach nobody ends, and other workers answer what it held.
func TestReplyConnectionClosed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{Latency: 300 * time.Millisecond})
	mute := f.start(quick(worker.Rerun))
	mute.dies = true
	answers := f.wave(20, 5)
	within(t, "calls under way", func() bool { return f.gateway.Stats().InFlight > 0 })
	f.start(quick(worker.Rerun))
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

// The server goes away in the middle of calls and comes back with what it had stored.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	const keys, askers = 20, 60
	f := newFleet(t, simulator.Options{Latency: 2 * time.Second}, func(s *setup) {
		s.server.DontListen, s.server.Host, s.server.Port = false, "127.0.0.1", server.RANDOM_PORT
	})
	f.set.server.Port = f.srv.Addr().(*net.TCPAddr).Port
	f.start()
	f.start()
	answers := f.wave(askers, keys)
	within(t, "all asks journalled, all calls under way", func() bool {
		return f.owed() == askers && f.gateway.Stats().InFlight == keys
	})
	f.srv.Shutdown()
	f.srv.WaitForShutdown()
	within(t, "half of the calls ended while the server is away", func() bool { return f.gateway.Stats().Conclusive >= keys/2 })
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

// A query whose call panics stops no worker: it is given up after its attempts, and replied to like
// any failure.
func TestPanic(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	calls := make(chan string, 100)
	f.start(func(o *worker.Options) {
		o.Gateway = asker(func(_ context.Context, q gateway.Query, _ func() error) (gateway.Answer, gateway.Report, error) {
			if q.UserEmail == "poison@example.com" {
				calls <- "call"
				panic("drawn by the test")
			}
			return gateway.Answer{Status: gateway.NotSigned, IsSuccess: "T"}, gateway.Report{At: time.Now()}, nil
		})
	})
	for range 4 { // in the cool-down the reply comes at once, without a call
		if r := f.ask(messages.Query{ID: "poison", UserEmail: "poison@example.com"}); r.Outcome != messages.Unknown || r.Code != messages.Crashed || r.ID != "poison" {
			t.Errorf("told %s", refusal(r))
		}
	}
	if len(calls) != 5 {
		t.Errorf("%d calls, want 5", len(calls))
	}
	if r := f.ask(messages.Query{UserEmail: "not-signed@example.com"}); r.Outcome != messages.NotSigned {
		t.Errorf("asked afterwards: %s", refusal(r))
	}
	f.wantRest()
}

// A connection that is closed for good before the worker runs ends it, as one that is closed later
// does.
func TestConnectionIsClosedBefore(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"main", "reply"} {
		f := newFleet(t, simulator.Options{})
		m := f.begin(func(o *worker.Options) {
			o.NATS, o.Reply = f.connect("worker"), f.connect("replies")
			[]*nats.Conn{o.NATS, o.Reply}[i].Close()
		})
		m.dies = true
		within(t, "the "+name+" connection's worker ends", m.ended.Load)
		if err := m.stop(); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}
