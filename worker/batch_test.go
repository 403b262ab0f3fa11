// Requests that are stored together: each is answered for itself, none is lost with another.

package worker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// Many askers at once need few messages, and each gets the answer to his own question.
func TestAskersAreStoredTogether(t *testing.T) {
	const askers = 200
	f := newFleet(t, simulator.Options{})
	f.start()
	f.start()
	wantAll(t, f.wave(askers, askers)(), messages.Signed, "")
	f.wantOneEach(askers)
	f.wantRest()
	if n := f.stream(messages.Requests).LastSeq; n > askers/2 {
		t.Errorf("%d messages for %d asks at once", n, askers)
	}
}

// An ask that may be long in coming to its answer is stored alone: by its deadline, by where its answer goes.
func TestPatientAskersAreStoredAlone(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	replies, err := f.nc.SubscribeSync("_INBOX.together.*")
	if err != nil {
		t.Fatal(err)
	}
	const each = 20
	for i := range each {
		for j, q := range []messages.Query{
			{UserEmail: email("signed", i), ReplyTo: f.names.ReplyOf("refunds")},
			{UserEmail: email("signed", i), DeadlineMs: time.Now().Add(time.Hour).UnixMilli()},
			{UserEmail: email("signed", i)},
		} {
			body, _ := q.Encode(messages.MsgPack)
			if err := f.nc.PublishRequest(f.names.Query(), "_INBOX.together."+string(rune('a'+j)), body); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 * each {
		if _, err := replies.NextMsg(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.stream(messages.Requests).LastSeq; n < 2*each || n > 3*each {
		t.Errorf("%d messages, want at least %d alone and no more than one for each ask", n, 2*each)
	}
}

// halting is a gateway that answers at once but for the account named slow: there it waits until go is closed.
func halting(goOn <-chan struct{}) func(*worker.Options) {
	return func(o *worker.Options) {
		o.Grace, o.Lease = 200*time.Millisecond, time.Second
		o.Gateway = asker(func(ctx context.Context, q gateway.Query, _ func() error) (gateway.Answer, gateway.Report, error) {
			if strings.HasPrefix(q.UserEmail, "slow") {
				select {
				case <-goOn:
				case <-ctx.Done():
					return gateway.Answer{}, gateway.Report{}, ctx.Err()
				}
			}
			return gateway.Answer{Status: gateway.Signed, ChargeAgent: new(true), RefundCharge: new(true), IsSuccess: "T"}, gateway.Report{}, nil
		})
	}
}

// together stores a slow ask and so many quick ones in one message, and returns where the answers of the last quick one and of the slow one come.
func (f *fleet) together(quicks int) (quick, slow *nats.Subscription) {
	f.t.Helper()
	var list []worker.Posted
	for i := range quicks + 1 {
		name := fmt.Sprintf("quick+%d@example.com", i)
		if i == quicks {
			name = "slow@example.com"
		}
		sub, err := f.nc.SubscribeSync(f.nc.NewInbox())
		if err != nil {
			f.t.Fatal(err)
		}
		quick, slow = slow, sub
		list = append(list, worker.Posted{Token: fmt.Sprint("token-", i), ReplyTo: sub.Subject, ID: name, Partner: partner, Data: `{"user_email":"` + name + `"}`})
	}
	if err := f.nc.Flush(); err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.js.Publish(f.t.Context(), f.names.Requests(), worker.EncodeBatch(list...)); err != nil {
		f.t.Fatal(err)
	}
	return quick, slow
}

func wantAnswer(t *testing.T, sub *nats.Subscription, id string) {
	t.Helper()
	m, err := sub.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	if r, _, err := messages.DecodeResult(m.Data, ""); err != nil || r.Outcome != messages.Signed || r.ID != id {
		t.Errorf("%s was told %+v, %v", id, r, err)
	}
}

// A batch stays in the stream until the last of its asks is answered.
func TestBatchOutlivesItsQuickAsks(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	goOn := make(chan struct{})
	f.start(halting(goOn))
	quick, slow := f.together(1)
	wantAnswer(t, quick, "quick+0@example.com")
	if n := f.stream(messages.Requests).Msgs; n != 1 {
		t.Errorf("%d requests stored while one of them waits, want 1", n)
	}
	close(goOn)
	wantAnswer(t, slow, "slow@example.com")
	f.wantRest()
}

// A worker that ends gives the whole batch back; another one answers who is left.
func TestBatchGivenBack(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	never, goOn := make(chan struct{}), make(chan struct{})
	leaving := f.start(halting(never))
	quick, slow := f.together(1)
	wantAnswer(t, quick, "quick+0@example.com")
	close(goOn)
	heir := f.start(halting(goOn))
	leaving.dies = true // its call is cut by its grace
	_ = leaving.stop()
	wantAnswer(t, slow, "slow@example.com")
	f.wantRest()
	if s := heir.Stats(); s.Redelivered != 0 || s.Sources["asked"] != 1 || len(s.Sources) != 1 {
		t.Errorf("the heir got %d asks again and answered %v", s.Redelivered, s.Sources)
	}
}

// What is no batch is a dead letter, once, and the worker goes on. One of another format is left to who knows it.
func TestUnreadableBatch(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	whole := worker.EncodeBatch(worker.Posted{Token: "t", Data: "{}"})
	for _, data := range [][]byte{nil, {1}, {1, 0xff}, whole[:len(whole)-1]} {
		if _, err := f.js.Publish(t.Context(), f.names.Requests(), data); err != nil {
			t.Fatal(err)
		}
	}
	within(t, 20*time.Second, "four dead letters", func() bool { return f.stream(messages.Dead).Msgs == 4 })
	f.wantRest()
	if _, err := f.js.Publish(t.Context(), f.names.Requests(), []byte{2, 0}); err != nil {
		t.Fatal(err)
	}
	if r := f.ask(messages.Query{UserEmail: email("signed", 1)}); r.Outcome != messages.Signed {
		t.Errorf("asked afterwards: %s", refusal(r))
	}
	within(t, 20*time.Second, "only that one left", func() bool { return f.stream(messages.Requests).Msgs == 1 })
	if n := f.stream(messages.Dead).Msgs; n != 4 {
		t.Errorf("%d dead letters, want 4", n)
	}
}

// An ask that is long in coming to its answer leaves its batch, so that a death has nobody asked about twice who was answered.
func TestSlowAskLeavesItsBatch(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	goOn := make(chan struct{})
	w := f.start(halting(goOn), func(o *worker.Options) { o.Lease = 4 * time.Second })
	quick, slow := f.together(7)
	wantAnswer(t, quick, "quick+6@example.com")
	within(t, 10*time.Second, "the slow one stored alone, its batch acknowledged", func() bool {
		s := f.stream(messages.Requests)
		return s.Msgs == 1 && s.LastSeq == 2
	})
	close(goOn)
	wantAnswer(t, slow, "slow@example.com")
	f.wantRest()
	if s := w.Stats(); s.Redelivered != 0 || s.Claims != 8 || s.Outcomes["signed"] != 8 {
		t.Errorf("%d delivered again, %d claims, told %v; want 0, 8 and 8 signed", s.Redelivered, s.Claims, s.Outcomes)
	}
}

// Where answers are forgotten sooner than askers leave, nobody shares a message.
func TestShortMemoryStoresAlone(t *testing.T) {
	const askers = 100
	f := newFleet(t, simulator.Options{})
	f.start(func(o *worker.Options) { o.Freshness = 10 * time.Second })
	wantAll(t, f.wave(askers, askers)(), messages.Signed, "")
	if n := f.stream(messages.Requests).LastSeq; n != askers {
		t.Errorf("%d messages for %d asks, want one each", n, askers)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	one := worker.Posted{Token: "t", ReplyTo: "_INBOX.a", Subject: "protocol.query.2088", ID: "i", Partner: partner, Trace: "00-", Data: "{}"}
	seeds := [][]byte{worker.EncodeBatch(one), worker.EncodeBatch(one, worker.Posted{}, one), {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, {1}, {}}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := worker.DecodeBatch(data)
		if err != nil {
			if list != nil {
				t.Errorf("%d requests and %v", len(list), err)
			}
			return
		}
		again, err := worker.DecodeBatch(worker.EncodeBatch(list...))
		if d := cmp.Diff(list, again); d != "" || err != nil {
			t.Errorf("read again: %v %s", err, d)
		}
	})
}
