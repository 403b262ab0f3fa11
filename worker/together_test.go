// Many asks at once are journalled together: each gets its own answer, and none is lost because of
// another.

package worker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// Many askers at once need few batches, and each gets the answer to its own question.
func TestAskersAreJournalledTogether(t *testing.T) {
	const askers = 200
	f := newFleet(t, simulator.Options{})
	f.start()
	f.start()
	before := f.stream(messages.Journal).LastSeq
	wantAll(t, f.wave(askers, askers)(), messages.Signed, "")
	f.wantOneEach(askers)
	f.wantRest()
	// Each ask is an ask, a begin and an answer, and is told twice: itself and its run.
	if n := f.stream(messages.Journal).LastSeq - before; n > askers {
		t.Errorf("%d batches for %d asks at once", n, askers)
	} else {
		t.Logf("%d batches for %d asks at once", n, askers)
	}
}

// A faulty message among others affects none of them.
func TestBadOnesAmongGoodOnes(t *testing.T) {
	const each = 50
	f := newFleet(t, simulator.Options{})
	f.start()
	c := f.replies()
	bad := []byte(`{"v":1,"user_email":"signed@example.com","nonsense":1}`)
	var all sync.WaitGroup
	for i := range each {
		all.Go(func() {
			if r, err := f.try(messages.Query{UserEmail: email("signed", i), ID: fmt.Sprint(i)}); err != nil || r.Outcome != messages.Signed || r.ID != fmt.Sprint(i) {
				t.Errorf("a good one: %+v %v", r, err)
			}
		})
		all.Go(func() {
			m, err := f.nc.Request(f.names.Query(), bad, time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			if r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType)); err != nil || r.Outcome != messages.Refused {
				t.Errorf("a bad one: %+v %v", r, err)
			}
		})
		if _, err := f.js.PublishAsync(f.names.Submit(), bad, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
		f.submit(messages.Query{UserEmail: email("signed", i), ID: fmt.Sprint(i)})
	}
	all.Wait()
	seen := map[string]bool{}
	for range each {
		r := f.reply(c)
		if r.Outcome != messages.Signed || seen[r.ID] {
			t.Errorf("a submitted one: %+v", r)
		}
		seen[r.ID] = true
	}
	f.wantRest()
	f.wantOneEach(each)
	if n := f.stream(messages.Dead).Msgs; n != each {
		t.Errorf("%d dead letters, want %d", n, each)
	}
}

// halting is a gateway that answers at once, except for the account named slow: there it waits
// until goOn is closed.
func halting(goOn <-chan struct{}) func(*worker.Options) {
	return func(o *worker.Options) {
		o.Grace = 200 * time.Millisecond
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

// together asks for a number of quick accounts and a slow one, and returns where their replies
// come.
func (f *fleet) together(quicks int) (quick []*nats.Subscription, slow *nats.Subscription) {
	f.t.Helper()
	for i := range quicks + 1 {
		name := fmt.Sprintf("quick+%d@example.com", i)
		if i == quicks {
			name = "slow@example.com"
		}
		sub, err := f.nc.SubscribeSync(f.nc.NewInbox())
		if err != nil {
			f.t.Fatal(err)
		}
		if err := f.nc.PublishRequest(f.names.Query(), sub.Subject, []byte(`{"id":"`+name+`","user_email":"`+name+`"}`)); err != nil {
			f.t.Fatal(err)
		}
		quick, slow = append(quick, sub), sub
	}
	return quick[:quicks], slow
}

func wantAnswer(t *testing.T, sub *nats.Subscription, id string) {
	t.Helper()
	m, err := sub.NextMsg(20 * time.Second)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	if r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType)); err != nil || r.Outcome != messages.Signed || r.ID != id {
		t.Errorf("%s was told %+v, %v", id, r, err)
	}
}

// A worker that ends during a call leaves its asker to another worker. An asker of the same batch
// that has its answer gets no second call, and no second reply.
func TestSlowOneIsLeftToAnother(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	never, goOn := make(chan struct{}), make(chan struct{})
	leaving := f.start(halting(never))
	quick, slow := f.together(7)
	for i, sub := range quick {
		wantAnswer(t, sub, fmt.Sprintf("quick+%d@example.com", i))
	}
	close(goOn)
	heir := f.start(halting(goOn))
	if err := leaving.stop(); err != nil { // its call is cut at the end of its grace
		t.Error(err)
	}
	wantAnswer(t, slow, "slow@example.com")
	f.wantRest()
	if s := heir.Stats(); s.Gateway.Count != 1 || s.Outcomes["signed"] != 1 {
		t.Errorf("the heir made %d calls and told %v, want one of both", s.Gateway.Count, s.Outcomes)
	}
	for _, sub := range append(quick, slow) {
		if m, err := sub.NextMsg(10 * time.Millisecond); err == nil {
			t.Errorf("a second reply: %s", m.Data)
		}
	}
}

// A message that is not a batch becomes a dead letter, once, and the workers go on.
func TestUnreadableBatch(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	f.start()
	if r := f.ask(messages.Query{UserEmail: email("signed", 0)}); r.Outcome != messages.Signed {
		t.Fatalf("%+v", r)
	}
	if _, err := f.js.Publish(t.Context(), f.names.Journal()+"stranger", []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	dead, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Dead), jetstream.ConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := dead.Next(jetstream.FetchMaxWait(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Data()) != "garbage" || m.Headers().Get(messages.HeaderReason) == "" {
		t.Errorf("%s %v %q", m.Subject(), m.Headers(), m.Data())
	}
	if r := f.ask(messages.Query{UserEmail: email("signed", 1)}); r.Outcome != messages.Signed {
		t.Errorf("asked afterwards: %s", refusal(r))
	}
	if extra, err := dead.Next(jetstream.FetchMaxWait(200 * time.Millisecond)); err == nil {
		t.Errorf("a second letter: %s %v", extra.Subject(), extra.Headers())
	}
}
