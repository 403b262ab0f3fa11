//go:build unix

// The askers of the end-to-end tests: many of them share a connection and one inbox, each with a
// reply subject of its own.

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
)

// crowd is one connection's askers.
type crowd struct {
	t     *testing.T
	nc    *nats.Conn
	inbox string // with its final dot; an ask's index follows it in the reply subject

	mu      sync.Mutex // guards the fields below, which the inbox's callback and the test share
	asks    []*asked
	waiting int // asks without an answer
	strange []string
}

// asked is one ask with its answers.
type asked struct {
	q       messages.Query
	sent    time.Time // the first time
	took    time.Duration
	answers []messages.Result // more than one only where the same answer came again
	nobody  int               // how often there was no responder, so that it was sent again
	full    int               // how often a worker had no room, so that it was sent again
}

func newCrowd(s *stand) *crowd {
	s.t.Helper()
	c := &crowd{t: s.t, nc: s.connect(), inbox: nats.NewInbox() + "."}
	sub, err := c.nc.Subscribe(c.inbox+"*", c.hear)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// ask sends q on protocol.query and returns at once.
func (c *crowd) ask(q messages.Query) *asked {
	c.t.Helper()
	q.V = messages.Version
	a := &asked{q: q, sent: time.Now()}
	c.mu.Lock()
	n := len(c.asks)
	c.asks = append(c.asks, a)
	c.waiting++
	c.mu.Unlock()
	if a.q.ID == "" {
		a.q.ID = c.inbox + strconv.Itoa(n)
	}
	if err := c.send(n, a.q); err != nil {
		c.t.Errorf("ask: %v", err) // not Fatal: a load asks from a goroutine of its own
	}
	return a
}

// inHeader is the prefix of ids that are sent as the message's Nats-Msg-Id and not in the
// query.
const inHeader = "header "

func (c *crowd) send(n int, q messages.Query) error {
	id, byHeader := q.ID, strings.HasPrefix(q.ID, inHeader)
	if byHeader {
		q.ID = ""
	}
	msg, err := natsconn.Message(messages.DefaultPrefix+".query", q)
	if err != nil {
		return err
	}
	if byHeader {
		msg.Header.Set(messages.HeaderMsgID, id)
	}
	msg.Reply = c.inbox + strconv.Itoa(n)
	return c.nc.PublishMsg(msg)
}

// hear handles one message of the inbox.
func (c *crowd) hear(m *nats.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := strconv.Atoi(strings.TrimPrefix(m.Subject, c.inbox))
	if err != nil || n >= len(c.asks) {
		c.strange = append(c.strange, m.Subject)
		return
	}
	a := c.asks[n]
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" { // no responders
		a.nobody++
		c.again(n, 20*time.Millisecond)
		return
	}
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	if err != nil || r.ID != a.q.ID {
		c.strange = append(c.strange, fmt.Sprintf("id %q, want %q: %v", r.ID, a.q.ID, err))
		return
	}
	if r.Code == messages.Overloaded {
		a.full++
		c.again(n, time.Duration(r.RetryAfterMs)*time.Millisecond)
		return
	}
	if len(a.answers) == 0 {
		a.took = time.Since(a.sent)
		c.waiting--
	}
	a.answers = append(a.answers, r)
}

// again sends an ask once more with the same id, as an asker does that was turned away. No
// other ask is sent twice. The caller holds mu.
func (c *crowd) again(n int, after time.Duration) {
	a := c.asks[n]
	if a.nobody+a.full > 1000 {
		c.strange = append(c.strange, "never let in: "+a.q.ID)
		return
	}
	time.AfterFunc(after, func() { _ = c.send(n, a.q) })
}

// unanswered counts the asks that have no answer yet.
func (c *crowd) unanswered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// everybody waits until every ask of the crowds is answered, and returns all of them. All
// answers to one ask must be the same.
func everybody(t *testing.T, crowds ...*crowd) []*asked {
	t.Helper()
	left := 0
	for end := time.Now().Add(5 * time.Minute); ; <-time.After(5 * time.Millisecond) {
		left = 0
		for _, c := range crowds {
			left += c.unanswered()
		}
		if left == 0 || time.Now().After(end) {
			break
		}
	}
	if left > 0 {
		t.Fatalf("%d asks unanswered after 5 minutes", left)
	}
	var all []*asked
	for _, c := range crowds {
		c.mu.Lock()
		for _, s := range c.strange {
			t.Errorf("strange message: %s", s)
		}
		for _, a := range c.asks {
			all = append(all, a.copy())
		}
		c.mu.Unlock()
	}
	for _, a := range all {
		for _, again := range a.answers[1:] {
			if d := cmp.Diff(common(a.answers[0]), common(again)); d != "" {
				t.Errorf("told two things about %s: %s", a.q.UserEmail, d)
			}
		}
	}
	return all
}

// copy lets the test read while more answers arrive.
func (a *asked) copy() *asked {
	b := *a
	b.answers = slices.Clone(a.answers)
	return &b
}

// now returns the present state of the ask.
func (c *crowd) now(a *asked) *asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return a.copy()
}

// answer waits for one ask's answer.
func (c *crowd) answer(a *asked) messages.Result {
	c.t.Helper()
	clitest.Eventually(c.t, "an answer to "+a.q.ID, func() bool { return len(c.now(a).answers) > 0 })
	return c.now(a).answers[0]
}

// common is the part of an answer that must be the same for everyone who shares it.
func common(r messages.Result) messages.Result {
	r.ID, r.Source, r.AnsweredAtMs, r.RetryAfterMs, r.Meta = "", "", 0, 0, nil
	return r
}

// percentile returns a percentile of the times that the asks took.
func percentile(all []*asked, p int) time.Duration {
	took := make([]time.Duration, len(all))
	for i, a := range all {
		took[i] = a.took
	}
	slices.Sort(took)
	return took[min(len(took)*p/100, len(took)-1)].Round(time.Millisecond)
}

// told counts the answers by outcome and source, and the asks that were turned away at first.
func told(all []*asked) map[string]int {
	counts := map[string]int{}
	for _, a := range all {
		r := a.answers[0]
		counts[string(r.Outcome)]++
		counts[string(r.Source)]++
		if a.nobody > 0 {
			counts["nobody listened"]++
		}
		if a.full > 0 {
			counts["overloaded"]++
		}
	}
	return counts
}
