// A member whose loop hangs, as on a log that nobody reads: its connection goes on, and answers.

package member_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/member"
	"protocolq/worker/natstest"
)

// hanging is a log whose reader stands still from the first line with a text on, until it goes on.
type hanging struct {
	at   string
	on   chan struct{} // closed: it goes on
	hung chan struct{} // closed when it hangs
}

func (h *hanging) Write(p []byte) (int, error) {
	if strings.Contains(string(p), h.at) {
		select {
		case <-h.hung:
		default:
			close(h.hung)
		}
		<-h.on
	}
	return len(p), nil
}

func (h *hanging) logs(o *member.Options) { o.Logger = slog.New(slog.NewTextHandler(h, nil)) }

// It is sealed like one that is silent: its keys are others' then, and it comes back as another.
func TestStuckMemberIsSealed(t *testing.T) {
	bubble(t, func(w *world) {
		h := &hanging{at: "member joined", on: make(chan struct{}), hung: make(chan struct{})}
		a, b := w.start("a", h.logs), w.start("b")
		if a.Stuck() != 0 || !a.InFleet() {
			t.Errorf("stuck for %v, in the fleet: %v", a.Stuck(), a.InFleet())
		}
		c := w.start("c")
		<-h.hung
		at := time.Since(begun)
		for i := range 60 {
			b.ask(fmt.Sprint("t", i), byte(i), func(a *journal.Ask) { a.Key[0] = byte(5 * i) })
		}
		wait(4*time.Second + settings.Lease + settings.Grace + time.Second)
		for i := range 60 {
			if took := w.wantReply(fmt.Sprint("t", i), "yes").at - at; took > 4*time.Second+settings.Lease+settings.Grace+500*time.Millisecond {
				t.Errorf("ask %d was told after %v", i, took)
			}
		}
		if d := a.Stuck(); d < 18*time.Second || d > 20*time.Second {
			t.Errorf("stuck for %v", d)
		}
		close(h.on)
		wait(10 * time.Second)
		if a.Stuck() != 0 || !a.InFleet() || a.ID() == "a-1" {
			t.Errorf("stuck for %v, in the fleet: %v, as %s", a.Stuck(), a.InFleet(), a.ID())
		}
		a.ask("last", 200)
		wait(5 * time.Second)
		w.wantReply("last", "yes")
		for _, x := range []*one{a, b, c} {
			x.leave()
			if x.Stuck() != 0 || x.InFleet() {
				t.Errorf("%s has left: stuck for %v, in the fleet: %v", x.name, x.Stuck(), x.InFleet())
			}
		}
	})
}

// On NATS a member that is not well gives no answer to a ping, but is not taken for one that is
// gone.
func TestPings(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{}))
	names, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	var well atomic.Bool
	signs := member.NATS{Conn: nc, Names: names}
	stop, err := signs.Serve("m", well.Load)
	if err != nil {
		t.Fatal(err)
	}
	ping := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if answered, mute := signs.Ping(ctx, "m"); fmt.Sprint(answered, mute) != want {
			t.Errorf("answered, mute: %v %v, want %s", answered, mute, want)
		}
	}
	ping("false false")
	well.Store(true)
	ping("true false")
	stop()
	ping("false true")
}

// Whether the log's state can be read is known without asking.
func TestLogAway(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.start("a")
		wait(time.Minute)
		if d := a.Away(); d != 0 {
			t.Errorf("away for %v", d)
		}
		a.conn.Cut(true)
		wait(9 * time.Second)
		if d := a.Away(); d != 0 {
			t.Errorf("away for %v after 9 s", d)
		}
		wait(11 * time.Second)
		if d := a.Away(); d < 18*time.Second || d > 24*time.Second {
			t.Errorf("away for %v after 20 s", d)
		}
		a.conn.Cut(false)
		wait(5 * time.Second)
		if d := a.Away(); d != 0 {
			t.Errorf("away for %v", d)
		}
		a.leave()
	})
}
