// The deadline that a query is sent with, and its effects.

package ask_test

import (
	"math"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/natstest"
)

func TestDeadline(t *testing.T) {
	const ms = time.Millisecond
	now := time.Now()
	for left, want := range map[time.Duration]time.Duration{
		30 * time.Second: 27 * time.Second, 3 * time.Second: 2700 * ms, 2 * time.Second: 1700 * ms, 600 * ms: 300 * ms,
		500 * ms: 250 * ms, 2 * ms: ms, 0: 0, -time.Second: -time.Second,
	} {
		if got := ask.Deadline(now, now.Add(left)).Sub(now); got != want {
			t.Errorf("of %v: %v, want %v", left, got, want)
		}
	}
}

// The remaining time of ctx is the query's deadline, unless its own is earlier. If neither has a
// deadline, there is none.
func TestDeadlineIsSent(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	c := newClient(t, natstest.Connect(t, srv), calm)
	worker := play(t, natstest.Connect(t, srv), "protocol.query", func(_ int, in taken) { in.reply(t, signed) })
	now, asked := time.Now(), 0
	for _, tt := range []struct {
		name      string
		ends      time.Duration // 0: never
		own, want time.Time
	}{
		{"of ctx", time.Minute, time.Time{}, now.Add(54 * time.Second)},
		{"its own, which is earlier", time.Minute, now.Add(10 * time.Second), now.Add(10 * time.Second)},
		{"of ctx, which is earlier", time.Minute, now.Add(time.Hour), now.Add(54 * time.Second)},
		{"its own", 0, now.Add(time.Hour), now.Add(time.Hour)},
		{"none", 0, time.Time{}, time.Time{}},
		{"none, though ctx ends one day", math.MaxInt64, time.Time{}, time.Time{}},
		{"its own, though ctx ends one day", math.MaxInt64, now.Add(time.Hour), now.Add(time.Hour)},
	} {
		ctx, q := t.Context(), question
		if tt.ends > 0 {
			ctx = within(t, tt.ends)
		}
		if !tt.own.IsZero() {
			q.DeadlineMs = tt.own.UnixMilli()
		}
		if _, err := c.Ask(ctx, q); err != nil {
			t.Fatal(err)
		}
		came := worker.all()
		if len(came) == asked {
			t.Errorf("%s: it was not asked", tt.name)
			continue
		}
		asked = len(came)
		got := came[len(came)-1].q.DeadlineMs
		switch late := time.UnixMilli(got).Sub(tt.want); {
		case tt.want.IsZero() && got != 0:
			t.Errorf("%s: sent %d", tt.name, got)
		case !tt.want.IsZero() && (late < -time.Millisecond || late > 20*time.Second):
			t.Errorf("%s: %v off", tt.name, late)
		}
	}
}

// A caller gets DEADLINE before its own time ends.
func TestDeadlineComesInTime(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	worker := play(t, natstest.Connect(t, srv), "protocol.query", func(_ int, in taken) {
		time.AfterFunc(time.Until(time.UnixMilli(in.q.DeadlineMs)), func() { in.reply(t, late) })
	})
	r, err := newClient(t, natstest.Connect(t, srv), calm).Ask(within(t, time.Second), question)
	if err != nil || r.Code != messages.DeadlinePassed || len(worker.all()) != 1 {
		t.Errorf("%+v, %v, asked %d times", r, err, len(worker.all()))
	}
}

// A worker whose clock is ahead takes a query in time as late: it is asked without the deadline.
func TestWorkerWhoseClockIsAhead(t *testing.T) {
	srv := natstest.Serve(t, server.Options{})
	worker := play(t, natstest.Connect(t, srv), "protocol.query", func(_ int, in taken) {
		if in.q.DeadlineMs > 0 {
			in.reply(t, late)
			return
		}
		in.reply(t, signed)
	})
	r, err := newClient(t, natstest.Connect(t, srv), calm).Ask(within(t, 20*time.Second), question)
	came := worker.all()
	if err != nil || r.Outcome != messages.Signed || len(came) != 2 || came[0].q.ID != came[1].q.ID {
		t.Errorf("%+v, %v, asked %+v", r, err, came)
	}
}
