// Why a call may not begin, in the words that askers get.

package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
	"protocolq/worker/partner"
)

// fakeGate returns what the test says.
type fakeGate struct {
	turn  partner.Turn
	err   error
	asked int
}

func (g *fakeGate) Try(string) (func(), bool) { return g.turn.Leave, g.turn.Leave != nil }

func (g *fakeGate) Open(string) bool { return !g.turn.Halted }

func (g *fakeGate) Turn(context.Context, string) (partner.Turn, error) {
	g.asked++
	return g.turn, g.err
}

func TestTurns(t *testing.T) {
	errLimit := errors.New("no record")
	for _, c := range []struct {
		name  string
		gate  fakeGate
		full  bool
		tried bool // Try returns a turn
		leave bool
		after time.Duration
		why   string
		err   error
		asked int
	}{
		{name: "free", gate: fakeGate{turn: partner.Turn{Leave: func() {}}}, tried: true, leave: true, asked: 1},
		{name: "free, and full", gate: fakeGate{turn: partner.Turn{Leave: func() {}}}, full: true, after: time.Second, why: messages.Overloaded},
		{name: "halted", gate: fakeGate{turn: partner.Turn{After: time.Minute, Halted: true}}, after: time.Minute, why: messages.PartnerHalted, asked: 1},
		{name: "halted, and full", gate: fakeGate{turn: partner.Turn{After: time.Minute, Halted: true}}, full: true, after: time.Second, why: messages.Overloaded},
		{name: "a rate too far away", gate: fakeGate{turn: partner.Turn{After: 20 * time.Second}}, after: 20 * time.Second, why: messages.Overloaded, asked: 1},
		{name: "a limit that cannot be kept", gate: fakeGate{err: errLimit}, err: errLimit, asked: 1},
	} {
		var log bytes.Buffer
		turns := newTurns(turnOptions{Gate: &c.gate, Full: func() bool { return c.full }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		leave, ok := turns.Try("p")
		if ok != c.tried || (leave != nil) != c.tried {
			t.Errorf("%s: Try says %v", c.name, ok)
		}
		if may := !c.full && !c.gate.turn.Halted; turns.May("p") != may {
			t.Errorf("%s: May says %v", c.name, !may)
		}
		a, err := turns.Enter(t.Context(), "p")
		if (a.Leave != nil) != c.leave || a.After != c.after || a.Why != c.why || !errors.Is(err, c.err) || c.gate.asked != c.asked {
			t.Errorf("%s: got %+v, %v, after %d looks at the gate", c.name, a, err, c.gate.asked)
		}
		behind := !c.full && c.err == nil && !c.leave && !c.gate.turn.Halted
		if a.Behind != behind || a.Halted != (!c.full && c.gate.turn.Halted) {
			t.Errorf("%s: behind %v, halted %v", c.name, a.Behind, a.Halted)
		}
		if strings.Contains(log.String(), "limit not kept") != (c.err != nil) {
			t.Errorf("%s: logged %q", c.name, log.String())
		}
	}
}

// A limit that cannot be kept does not fill the log, and a caller that ends causes no warning.
func TestTurnsWarnNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		gate := fakeGate{err: errors.New("no record")}
		turns := newTurns(turnOptions{Gate: &gate, Full: func() bool { return false }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 61 {
			_, _ = turns.Enter(t.Context(), "p")
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(time.Minute)
		_, _ = turns.Enter(ctx, "p")
		if n := strings.Count(log.String(), "limit not kept"); n != 3 {
			t.Errorf("%d warnings, want 3", n)
		}
	})
}
