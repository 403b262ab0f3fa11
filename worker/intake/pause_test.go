// What the doors take in a pause, on a real server: nothing new, and all of it when it ends.

package intake_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/worker/intake"
)

// pauses are ones that a test begins and ends.
func (f *fixture) pauses() (paused *atomic.Bool, option func(*intake.Options)) {
	paused = &atomic.Bool{}
	return paused, func(o *intake.Options) {
		o.Paused = func() (time.Duration, bool) { return 5 * time.Second, paused.Load() }
	}
}

// idle reports whether no worker pulls submitted queries.
func (f *fixture) idle() bool {
	c := must(f.js.Consumer(f.t.Context(), f.submitted(), messages.ConsumerSubmitted))(f.t)
	return must(c.Info(f.t.Context()))(f.t).NumWaiting == 0
}

func TestPausedQueries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.remember(messages.Query{UserEmail: "signed@example.com"}, messages.Result{Outcome: messages.Signed})
	paused, option := f.pauses()
	paused.Store(true)
	f.start(option)
	const other = `{"id":"other","key":"k","user_email":"new@example.com","meta":{"a":"b"}}`
	r, m := f.ask("protocol.query", other)
	if r.Outcome != messages.Unknown || r.Code != messages.Paused || r.RetryAfterMs != 5000 || !r.Retryable || r.ID != "other" || r.Key != "k" || r.Meta["a"] != "b" || r.Message == "" {
		t.Errorf("%+v", r)
	}
	if m.Header.Get("Protocol-Outcome") != "unknown" {
		t.Errorf("%v", m.Header)
	}
	if r, _ := f.ask("protocol.query", question); r.Outcome != messages.Signed || r.Source != messages.Remembered {
		t.Errorf("what is remembered: %+v", r)
	}
	if r, _ := f.ask("protocol.query", `{"user_email":1}`); r.Outcome != messages.Refused {
		t.Errorf("what is not right: %+v", r)
	}
	if asks := f.log.taken(); len(asks) != 0 {
		t.Errorf("%d journalled", len(asks))
	}
	if codes := strings.Join(f.lines.codes(), ", "); codes != "unknown PAUSED, signed, refused BAD_REQUEST" {
		t.Errorf("lines of %s", codes)
	}
	// The durable reply to what is remembered is owed by the journal, in a pause too.
	if r, _ := f.ask("protocol.query", `{"user_email":"signed@example.com","reply_to":"protocol.reply.shop"}`); r.Outcome != messages.Accepted {
		t.Errorf("remembered, with a durable reply: %+v", r)
	}
	if r, _ := f.ask("protocol.query", `{"user_email":"new@example.com","reply_to":"protocol.reply.shop"}`); r.Code != messages.Paused {
		t.Errorf("new, with a durable reply: %+v", r)
	}
	paused.Store(false)
	if r, _ := f.ask("protocol.query", `{"user_email":"new@example.com","reply_to":"protocol.reply.shop"}`); r.Outcome != messages.Accepted {
		t.Errorf("resumed: %+v", r)
	}
}

func TestPausedSubmits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	paused, option := f.pauses()
	paused.Store(true)
	f.start(option)
	submit := func(first, n int) {
		for i := range n {
			f.submit("protocol.submit", fmt.Sprintf(`{"id":"%d","user_email":"a@b.cn"}`, first+i))
		}
	}
	submit(0, 3)
	f.submit("protocol.redrive."+partner, `{"user_email":"c@d.cn"}`, "Nats-Msg-Id", "5-6/r1", "Protocol-Subject", "protocol.submit", "Protocol-Redriven", "1")
	f.submit("protocol.forget", "000102030405060708090a0b0c0d0e0f")
	f.within("nothing is pulled", f.idle)
	if s, n := f.doors.Stats(), f.stored(f.submitted()); s.Submitted != 0 || n != 5 {
		t.Errorf("%d in the stream, %+v", n, s)
	}
	paused.Store(false)
	f.within("resumed", func() bool { return f.stored(f.submitted()) == 0 })
	if n, s := len(f.log.taken()), f.doors.Stats(); n != 4 || s.Forgets != 1 {
		t.Errorf("%d journalled, %+v", n, s)
	}
	// What came as the pause began is given back, and comes soon after it: not after its AckWait.
	for round := range 3 {
		before := len(f.log.taken())
		paused.Store(true)
		submit(1000*round+100, 50)
		f.within("nothing is pulled", f.idle)
		submit(1000*round+200, 5)
		if n := len(f.log.taken()); n != before {
			t.Errorf("round %d: %d journalled in a pause", round, n-before)
		}
		paused.Store(false)
		f.within("resumed again", func() bool { return f.stored(f.submitted()) == 0 })
	}
	f.within("nothing is pending", func() bool { return f.doors.Stats().Pending == 0 })
	if n := len(f.log.taken()); n != 4+3*55 {
		t.Errorf("%d journalled", n)
	}
}

// Doors that are closed in a pause end, and leave what is submitted where it is.
func TestClosedPaused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	paused, option := f.pauses()
	f.start(option)
	paused.Store(true)
	f.submit("protocol.submit", question)
	f.within("nothing is pulled", f.idle)
	f.closed()
	if n, asks := f.stored(f.submitted()), f.log.taken(); n != 1 || len(asks) != 0 {
		t.Errorf("%d in the stream, %d journalled", n, len(asks))
	}
}
