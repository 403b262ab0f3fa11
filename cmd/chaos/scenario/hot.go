//go:build unix

// One key that all ask for at once.

package scenario

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/chaos/testbed"
	"protocolq/messages"
)

// How many ask for one key at once, and how long the slowest of a hundred may wait on a busy
// machine: the call itself takes up to 0.4 s.
const (
	hotAsks  = 10_000
	hotBound = 12 * time.Second
)

// crush is the result of ten thousand asks.
type crush struct {
	mu   sync.Mutex // guards the rest
	sent [hotAsks]time.Time
	took []time.Duration
	runs map[string]int // answers by their content
	full int            // refused, because the fleet is at capacity
}

// hotKey lets ten thousand ask about one account at once. All must get the same answer, by one call
// (by the gateway's log).
func hotKey(ctx context.Context, h *testbed.Bed, f *figures) error {
	nc, _, err := h.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	inbox, c := nc.NewInbox(), &crush{runs: map[string]int{}}
	sub, err := nc.Subscribe(inbox, c.hear)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		return err
	}
	h.Inject("hot key", fmt.Sprintf("%d asks at once", hotAsks))
	if err := c.ask(nc, inbox, testbed.EmailOf("signed", fmt.Sprintf("hot%d", h.Seed))); err != nil {
		return err
	}
	err = testbed.Eventually(ctx, 30*time.Second, "the hot key's answers", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := c.full
		for _, told := range c.runs {
			n += told
		}
		return n >= hotAsks
	})
	c.note(h, f, err)
	return nil
}

func (c *crush) hear(m *nats.Msg) {
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && r.Code == messages.Overloaded {
		c.full++
		return
	}
	c.runs[r.Run+string(r.Outcome)]++
	var i int
	if _, err := fmt.Sscanf(r.ID, "hot-%d", &i); err == nil && i < hotAsks {
		c.took = append(c.took, time.Since(c.sent[i]))
	}
}

func (c *crush) ask(nc *nats.Conn, inbox, email string) error {
	for i := range hotAsks {
		q := messages.Query{V: messages.Version, ID: fmt.Sprintf("hot-%d", i), Key: "hot", UserEmail: email}
		body, err := q.Encode(messages.MsgPack)
		if err != nil {
			return err
		}
		m := &nats.Msg{Subject: "protocol.query", Reply: inbox, Data: body,
			Header: nats.Header{messages.HeaderContentType: {string(messages.MsgPack)}}}
		c.mu.Lock()
		c.sent[i] = time.Now()
		c.mu.Unlock()
		if err := nc.PublishMsg(m); err != nil {
			return err
		}
	}
	return nil
}

// note notes violations, and the figures.
func (c *crush) note(h *testbed.Bed, f *figures, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || len(c.runs) != 1 || len(c.took) == 0 {
		h.Violation("hot key: %d asks were answered by %d runs, %d overloaded (%v)", hotAsks, len(c.runs), c.full, err)
		return
	}
	slices.Sort(c.took)
	p50, p99 := c.took[len(c.took)/2], c.took[len(c.took)*99/100]
	f.add("hot key, 10,000 asks at once: p50, p99 of the answers; told OVERLOADED",
		fmt.Sprintf("%v, %v; %d", p50.Round(time.Millisecond), p99.Round(time.Millisecond), c.full), hotBound.String())
	if c.full > hotAsks/10 {
		h.Violation("hot key: %d of %d asks were told OVERLOADED, at most one in ten", c.full, hotAsks)
	}
	if p99 > hotBound {
		h.Violation("hot key: p99 %v, at most %v", p99, hotBound)
	}
}
