// When Run looks at the waits, and when it rests.

package publish

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/worker/natstest"
)

// look looks a number of times and reports what the last look said.
func look(p *Publisher, times int) (reconnected, rests bool) {
	for range times {
		reconnected, rests = p.look()
	}
	return reconnected, rests
}

// Without messages, Run rests after some looks, and the next message wakes it once. What waits
// keeps it awake.
func TestRunRests(t *testing.T) {
	nc, _ := natstest.JetStream(t)
	if _, err := nc.Subscribe("silent", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	p := New(nc)
	ask := func() {
		t.Helper()
		if err := p.Go(&nats.Msg{Subject: "silent"}, time.Hour, func(uint64, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	if _, rests := look(p, lastLooks-1); rests {
		t.Error("rests too early")
	}
	if _, rests := look(p, 1); !rests || len(p.busy) > 0 {
		t.Errorf("rests: %v, woken %d times", rests, len(p.busy))
	}
	ask()
	ask()
	if _, rests := look(p, 1); rests || len(p.busy) != 1 {
		t.Errorf("with a message on its way rests: %v, woken %d times", rests, len(p.busy))
	}
	<-p.busy
	if _, rests := look(p, 3*lastLooks); rests {
		t.Error("rests while there are waits")
	}
	p.expire(time.Time{})
	if _, rests := look(p, 1); !rests {
		t.Error("does not rest after the waits have ended")
	}
}

// What was sent after a reconnection is not given up because of it, if Run rested meanwhile.
func TestReconnectionAtRest(t *testing.T) {
	nc, _ := natstest.JetStream(t)
	p := New(nc)
	look(p, lastLooks)
	back := make(chan struct{}, 1)
	nc.SetReconnectHandler(func(*nats.Conn) { back <- struct{}{} })
	again := func() {
		t.Helper()
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-back:
		case <-time.After(30 * time.Second):
			t.Fatal("not connected again")
		}
	}
	again()
	if err := p.Go(&nats.Msg{Subject: "silent"}, time.Hour, func(uint64, error) {}); err != nil {
		t.Fatal(err)
	}
	if reconnected, _ := p.look(); reconnected {
		t.Error("the reconnection before counts")
	}
	again()
	if reconnected, _ := p.look(); !reconnected {
		t.Error("the reconnection after does not count")
	}
}
