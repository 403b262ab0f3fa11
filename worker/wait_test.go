// The whole life of a submitted query: it waits through failures, is asked again, and ends with an
// answer or a dead letter.

package worker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	gate "protocolq/worker/partner"
)

// submit stores a query whose reply goes to protocol.reply.test.
func (f *fleet) submit(q messages.Query) {
	f.t.Helper()
	q.ReplyTo = "protocol.reply.test"
	body, err := q.Encode(messages.MsgPack)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.js.Publish(f.t.Context(), f.names.Submit(), body); err != nil {
		f.t.Fatal(err)
	}
}

// reply waits for the next durable reply.
func (f *fleet) reply(c jetstream.Consumer) messages.Result {
	f.t.Helper()
	m, err := c.Next(jetstream.FetchMaxWait(15 * time.Second))
	if err != nil {
		f.t.Fatal(err)
	}
	_ = m.Ack()
	r, _, err := messages.DecodeResult(m.Data(), m.Headers().Get(messages.HeaderContentType))
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fleet) replies() jetstream.Consumer {
	f.t.Helper()
	c, err := f.js.CreateConsumer(f.t.Context(), f.names.Stream(messages.Replies), jetstream.ConsumerConfig{FilterSubject: f.names.ReplyOf("test")})
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// waiting counts the asks that wait without a call in progress.
func (f *fleet) waiting() int {
	f.t.Helper()
	n := 0
	for _, m := range f.members {
		n += m.Stats().Parked
	}
	return n
}

func cooldown(d time.Duration) func(*worker.Options) {
	return func(o *worker.Options) { o.Cooldown = d }
}

// The gateway fails for seven calls, which is one run and two attempts: the query waits through one
// cool-down and then gets its answer, while a waiting asker gets a reply at once.
func TestSubmittedQueryWaitsOutACoolDown(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(cooldown(time.Second))
	f.start(cooldown(time.Second))
	c := f.replies()
	q := messages.Query{ID: "patient", UserEmail: "system-error-7@example.com"}
	f.submit(q)
	within(t, "the query waits", func() bool { return f.waiting() == 1 })
	if r := f.ask(messages.Query{UserEmail: q.UserEmail}); r.Outcome != messages.Unknown || r.Code != "SYSTEM_ERROR" || r.RetryAfterMs <= 0 {
		t.Errorf("awaiting in the cool-down: %+v", r)
	}
	if r := f.reply(c); r.Outcome != messages.Signed || r.ID != "patient" || r.Attempts != 3 {
		t.Errorf("the patient asker was told %+v", r)
	}
	within(t, "nothing waits", func() bool { return f.waiting() == 0 })
	f.wantCalls(8)
	f.wantRest()
}

// A query without an answer within its deadline ends with unknown and a dead letter that gives the
// reason.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(cooldown(time.Second))
	c := f.replies()
	f.submit(messages.Query{ID: "late", UserEmail: "system-error@example.com", DeadlineMs: time.Now().Add(2500 * time.Millisecond).UnixMilli()})
	r := f.reply(c)
	if r.Outcome != messages.Unknown || r.ID != "late" {
		t.Errorf("told %+v", r)
	}
	dead, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Dead), jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := dead.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	h := m.Headers()
	q, _, err := messages.DecodeQuery(m.Data(), h.Get(messages.HeaderContentType))
	if m.Subject() != "protocol.dead.expired" || err != nil || q.UserEmail != "system-error@example.com" || h.Get(messages.HeaderTries) == "" ||
		h.Get(messages.HeaderDoor) != messages.DoorSubmit || h.Get(messages.HeaderReplyTo) != "protocol.reply.test" || h.Get(messages.HeaderStored) == "" {
		t.Errorf("%s %v %v", m.Subject(), h, err)
	}
	within(t, "nothing waits", func() bool { return f.waiting() == 0 })
}

// A client's own headers cannot make a submitted query look like a waiting one.
func TestWaitingCannotBeForged(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	c := f.replies()
	body, _ := messages.Query{ID: "forged", UserEmail: "signed@example.com", ReplyTo: "protocol.reply.test"}.Encode(messages.MsgPack)
	_, err := f.js.PublishMsg(t.Context(), &nats.Msg{Subject: f.names.Submit(), Data: body, Header: nats.Header{
		messages.HeaderStored: {"1"}, messages.HeaderReplyTo: {"protocol.journal.x"}, messages.HeaderToken: {"t"}}})
	if err != nil {
		t.Fatal(err)
	}
	if r := f.reply(c); r.Outcome != messages.Signed {
		t.Errorf("%+v", r)
	}
}

// A backlog of one partner's waiting queries delays no asker of another.
func TestBacklogDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.setHalt(gate.Halt{Halted: true, By: gate.ByOperator}) // known to the workers before the first query comes
	f.start()
	f.start()
	const backlog = 3000
	for i := range backlog {
		body, err := messages.Query{UserEmail: email("signed", i)}.Encode(messages.MsgPack)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.js.PublishAsync(f.names.Submit(), body, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	// While they come in, and when all of them wait.
	var took []time.Duration
	for i := range 50 {
		begun := time.Now()
		if r, err := f.again(messages.Query{Partner: partner2, UserEmail: email("signed", i)}); err != nil || r.Outcome != messages.Signed {
			t.Fatalf("%+v, %v", r, err)
		}
		took = append(took, time.Since(begun))
		if i == 25 {
			within(t, "all of them wait", func() bool { return f.waiting() == backlog })
		}
	}
	// The median: a single stall is the machine's, but a queue would affect all.
	slices.Sort(took)
	if took[25] > time.Second {
		t.Errorf("askers of another partner waited %v", took)
	}
	f.wantCalls(50)
}

// A deadline later than the patience counts as the patience.
func TestDeadlineEndsWithPatience(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start(cooldown(time.Second), func(o *worker.Options) { o.Patience = 2500 * time.Millisecond })
	c := f.replies()
	f.submit(messages.Query{ID: "century", UserEmail: "system-error@example.com", DeadlineMs: time.Now().AddDate(100, 0, 0).UnixMilli()})
	if r := f.reply(c); r.Outcome != messages.Unknown || r.ID != "century" {
		t.Errorf("told %+v", r)
	}
}
