//go:build unix

// Messages that come more than once, in any order, and again when their answer is about to be
// forgotten.

package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// remembered is how long the workers of this scenario keep an answer.
const remembered = 3 * time.Second

func shuffledScenario() Scenario {
	d := &deck{replies: map[string]int{}, durable: map[string]int{}}
	return Scenario{Name: "shuffled",
		About: "each message once to twenty times, in any order, and again at the edge of what is remembered",
		plan: testbed.Plan{Rate: 10, Keys: 5,
			Worker: []string{"--freshness", remembered.String(), "--window", remembered.String()}},
		bounds: verdict.Bounds{Window: remembered, Strangers: true}, harm: d.play, observe: d.counted}
}

// deck is the messages of one scenario.
type deck struct {
	sent, cards int            // messages; questions
	durable     map[string]int // by id: submitted messages, each of which must get a reply

	mu      sync.Mutex
	replies map[string]int // by inbox: replies to one message; under mu
}

// play sends the messages, and again around the time at which their answers are forgotten.
func (d *deck) play(ctx context.Context, h *testbed.Bed, _ time.Duration) error {
	nc, _, err := h.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	inbox := nc.NewInbox()
	if _, err := nc.Subscribe(inbox+".*", func(m *nats.Msg) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.replies[m.Subject]++
	}); err != nil {
		return err
	}
	d.cards = 40
	first, again := d.deal(h.Rand, inbox, 20), d.deal(h.Rand, inbox, 4)
	h.Inject("shuffled", fmt.Sprintf("%d questions in %d messages", d.cards, len(first)))
	if err := d.publish(ctx, nc, first, time.Second); err != nil {
		return err
	}
	// The answers come within a second, so that this is before, at and after the edge.
	if err := testbed.Pause(ctx, remembered-500*time.Millisecond); err != nil {
		return err
	}
	h.Inject("shuffled", fmt.Sprintf("the same again in %d messages", len(again)))
	if err := d.publish(ctx, nc, again, 2*time.Second); err != nil {
		return err
	}
	return testbed.Eventually(ctx, 20*time.Second, "a reply to each message", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		n := 0
		for _, submitted := range d.durable {
			n += submitted
		}
		return len(d.replies)+n >= d.sent
	})
}

// deal makes 1 to most messages of each question, for both doors, and shuffles them.
func (d *deck) deal(rng *rand.Rand, inbox string, most int) (all []*nats.Msg) {
	parts := []string{"signed", "not-signed", "abnormal", "debit-only", "no-sign-customer"}
	for card := range d.cards {
		q := messages.Query{V: messages.Version, ID: fmt.Sprintf("card-%d", card),
			UserEmail: testbed.EmailOf(parts[card%len(parts)], fmt.Sprintf("card%d", card))}
		if card%2 == 0 {
			q.Key = q.ID
		}
		for range 1 + rng.IntN(most) {
			m := &nats.Msg{Subject: "protocol.query", Reply: fmt.Sprintf("%s.%d", inbox, d.sent),
				Header: nats.Header{messages.HeaderContentType: {string(messages.MsgPack)}}}
			q.ReplyTo = ""
			if rng.IntN(3) == 0 {
				m.Subject, m.Reply, q.ReplyTo = "protocol.submit", "", "protocol.reply.chaos."+q.ID
				d.durable[q.ID]++
			}
			body, err := q.Encode(messages.MsgPack)
			if err != nil {
				panic(err) // it is a valid query
			}
			m.Data = body
			all = append(all, m)
			d.sent++
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// publish sends messages evenly over a time.
func (d *deck) publish(ctx context.Context, nc *nats.Conn, all []*nats.Msg, over time.Duration) error {
	for _, m := range all {
		if err := nc.PublishMsg(m); err != nil {
			return err
		}
		if err := testbed.Pause(ctx, over/time.Duration(len(all))); err != nil {
			return err
		}
	}
	return nc.Flush()
}

// counted compares the replies of each message with what it should get: one reply, however many
// copies there were.
func (d *deck) counted(ctx context.Context, h *testbed.Bed, t *verdict.Evidence) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for to, n := range d.replies {
		if n != 1 {
			t.Surplus = append(t.Surplus, fmt.Sprintf("%d replies to one message on %s", n, to))
		}
	}
	told, runs := map[string]int{}, map[string]bool{}
	err := h.Observer.Each(ctx, messages.Replies, func(m jetstream.Msg) {
		if r, _, err := messages.DecodeResult(m.Data(), m.Headers().Get(messages.HeaderContentType)); err == nil &&
			strings.HasPrefix(r.ID, "card-") {
			told[r.ID]++
			runs[r.Run] = true
		}
	})
	if err != nil {
		return err
	}
	for id, n := range d.durable {
		if told[id] != n {
			t.Surplus = append(t.Surplus, fmt.Sprintf("%s: %d durable replies to %d messages", id, told[id], n))
		}
	}
	calls := 0
	for _, c := range t.Calls {
		if strings.Contains(c.Key, testbed.CanaryName+"card") {
			calls++
		}
	}
	if calls <= d.cards || d.sent < 4*d.cards {
		t.Surplus = append(t.Surplus,
			fmt.Sprintf("%d calls for %d questions in %d messages: the edge was not reached, nothing is proved", calls,
				d.cards, d.sent))
	}
	t.Figures = append(t.Figures, verdict.Figure{What: "messages; questions; calls, with those after the edge",
		Value: fmt.Sprintf("%d; %d; %d", d.sent, d.cards, calls),
		Bound: "one reply each, no call within " + remembered.String()})
	return nil
}
