// Bounds and exact times of what is pending.

package intake

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// silent is a message that says nothing.
type silent struct{}

func (silent) Ack() error                       { return nil }
func (silent) NakWithDelay(time.Duration) error { return nil }
func (silent) InProgress() error                { return nil }

// awaiting is an ask of the query door.
func awaiting(left time.Duration, replyTo string) *ask {
	return &ask{entry: journal.Ask{Door: journal.Await, Left: left, Query: make([]byte, 88)}, q: messages.Query{ReplyTo: replyTo}, await: "_INBOX.x", came: time.Now()}
}

func TestPendingBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPending(4, 10_000)
		submitted := func(bytes int) *held { return &held{msg: silent{}, bytes: bytes} }
		a, b := submitted(600), submitted(600)
		if !p.wait(a) || !p.wait(b) {
			t.Fatal("no room for half")
		}
		entered := make(chan bool)
		c := submitted(600)
		go func() { entered <- p.wait(c) }()
		synctest.Wait()
		select {
		case <-entered:
			t.Fatal("more than half is submitted")
		default:
		}
		// An asker who awaits has the other half.
		x, y := holding(awaiting(0, ""), 5*time.Second), holding(awaiting(0, ""), 5*time.Second)
		y.who.asker = "another"
		if x.bytes != 600 {
			t.Fatalf("%d bytes", x.bytes)
		}
		if !p.add(x) || !p.add(y) || p.add(holding(awaiting(0, ""), 5*time.Second)) {
			t.Error("a bound of 4 is not 4")
		}
		if n, bytes := p.size(); n != 4 || bytes != 2400 {
			t.Errorf("%d, %d bytes", n, bytes)
		}
		p.leave(a)
		if !<-entered {
			t.Error("did not enter")
		}
		p.leave(b)
		p.leave(b) // leaves once
		p.leave(x)
		p.leave(y)
		if n, bytes := p.size(); n != 1 || bytes != 600 {
			t.Errorf("%d, %d bytes", n, bytes)
		}
		// What is larger than its half enters alone.
		big := submitted(6_000)
		go func() { entered <- p.wait(big) }()
		synctest.Wait()
		p.leave(c)
		if !<-entered {
			t.Error("did not enter")
		}
		if large := holding(awaiting(0, ""), 5*time.Second); p.add(&held{bytes: 4_001}) || !p.add(large) {
			t.Error("bytes are not bounded")
		}
		go func() { entered <- p.wait(submitted(1)) }()
		go func() { entered <- p.wait(submitted(1)) }()
		synctest.Wait()
		p.close()
		if <-entered {
			t.Error("entered a closed door")
		}
		if <-entered {
			t.Error("entered a closed door")
		}
	})
}

func TestOverdue(t *testing.T) {
	for name, c := range map[string]struct {
		left    time.Duration
		replyTo string
		nobody  bool
		at      time.Duration // 0: never
		code    string
	}{
		"no deadline":         {at: 30 * time.Second, code: messages.Overloaded},
		"deadline":            {left: 1500 * time.Millisecond, at: 1500 * time.Millisecond, code: messages.DeadlinePassed},
		"late deadline":       {left: 40 * time.Second, at: 40 * time.Second, code: messages.DeadlinePassed},
		"accepted":            {replyTo: "protocol.reply.x", at: 10 * time.Second, code: messages.Overloaded},
		"accepted, deadline":  {left: time.Hour, replyTo: "protocol.reply.x", at: 10 * time.Second, code: messages.Overloaded},
		"accepted, short one": {left: time.Second, replyTo: "protocol.reply.x", at: time.Second, code: messages.DeadlinePassed},
		"nobody":              {nobody: true, left: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			k := awaiting(c.left, c.replyTo)
			if c.nobody {
				k.await = ""
			}
			p, h := newPending(9, 9000), holding(k, 30*time.Second)
			p.add(h)
			if c.at == 0 {
				if late := p.overdue(k.came.Add(time.Hour)); late != nil {
					t.Errorf("replied to nobody: %v", late)
				}
				return
			}
			if late := p.overdue(k.came.Add(c.at - 1)); late != nil {
				t.Error("too early")
			}
			if late := p.overdue(k.came.Add(c.at)); !slices.Equal(late, []*held{h}) || h.code != c.code {
				t.Errorf("%v, code %s", late, h.code)
			}
			if late := p.overdue(k.came.Add(time.Hour)); late != nil {
				t.Error("twice")
			}
			if !p.leave(h) {
				t.Error("forgot that it replied")
			}
		})
	}
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPending(9, 9000)
		a, b := holding(awaiting(0, ""), 5*time.Second), &held{msg: silent{}}
		p.add(a)
		p.wait(b)
		time.AfterFunc(time.Second, func() { p.leave(a) })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		if left := p.drain(ctx); !slices.Equal(left, []*held{b}) || time.Since(begun) != 3*time.Second {
			t.Errorf("%v left after %v", left, time.Since(begun))
		}
		time.AfterFunc(time.Second, func() { p.leave(b) })
		begun = time.Now()
		if left := p.drain(t.Context()); left != nil || time.Since(begun) != time.Second {
			t.Errorf("%v left after %v", left, time.Since(begun))
		}
	})
}

func TestDeliveries(t *testing.T) {
	p, now := newPending(9, 9000), time.Now()
	p.wait(&held{msg: silent{}, since: now.Add(-time.Second)})
	p.wait(&held{msg: silent{}, since: now})
	p.add(holding(awaiting(0, ""), 5*time.Second))
	for since, want := range map[time.Duration]int{-2 * time.Second: 0, -time.Second: 1, 0: 2} {
		if got := len(p.deliveries(now.Add(since))); got != want {
			t.Errorf("%v: %d, want %d", since, got, want)
		}
	}
}

// counting is a message that counts its signs of life.
type counting struct {
	silent
	signs *[]time.Duration
	begun time.Time
}

func (c counting) InProgress() error {
	*c.signs = append(*c.signs, time.Since(c.begun))
	return nil
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &consumer{parts: &parts{pending: newPending(9, 9000)}}
		c.every.Store(int64(4 * time.Second)) // an AckWait of 12 s
		begun := time.Now()
		var first, second []time.Duration
		h := &held{msg: counting{signs: &first, begun: begun}, since: begun}
		c.pending.wait(h)
		time.AfterFunc(3*time.Second, func() { // too young at 4 s
			c.pending.wait(&held{msg: counting{signs: &second, begun: begun}, since: time.Now()})
		})
		time.AfterFunc(9*time.Second, func() { c.pending.leave(h) })
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
		defer cancel()
		c.keepAlive(ctx)
		if !slices.Equal(first, []time.Duration{4 * time.Second, 8 * time.Second}) || !slices.Equal(second, []time.Duration{8 * time.Second, 12 * time.Second}) {
			t.Errorf("%v, %v", first, second)
		}
	})
}

func TestBackoff(t *testing.T) {
	for tries, least := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 6: 30 * time.Second, 1 << 20: 30 * time.Second} {
		if d := backoff(tries); d < least || d > least+least/10 {
			t.Errorf("after %d: %v", tries, d)
		}
	}
}

func TestAlarms(t *testing.T) {
	var a alarms
	now := time.Now()
	for i, c := range []struct {
		after time.Duration
		n     int
	}{{0, 1}, {time.Second, 0}, {29 * time.Second, 0}, {30 * time.Second, 3}, {time.Hour, 1}} {
		if n, due := a.again("x", now.Add(c.after)); n != c.n || due != (c.n > 0) {
			t.Errorf("%d: %d %v", i, n, due)
		}
	}
}

// One that is on its way into the journal may be answered yet, so its asker waits for longer.
func TestOnItsWay(t *testing.T) {
	k := awaiting(0, "")
	p, h := newPending(9, 9000), holding(k, 30*time.Second)
	p.add(h)
	if p.unwanted(h) {
		t.Fatal("left out though its asker waits")
	}
	if late := p.overdue(k.came.Add(30*time.Second - 1)); late != nil {
		t.Error("replied to while it is on its way")
	}
	if late := p.overdue(k.came.Add(30 * time.Second)); len(late) != 1 {
		t.Error("not replied to for ever")
	}
	if !p.unwanted(h) {
		t.Error("journalled again though its asker was replied to")
	}
}

// One asker takes half of the room, in number and in bytes, less the more there are like it, and
// gives it back.
func TestPendingOfOneAsker(t *testing.T) {
	p := newPending(8, 10_000)
	add := func(asker string, bytes int) *held {
		h := &held{who: who{"p", asker}, bytes: bytes}
		if !p.add(h) {
			return nil
		}
		return h
	}
	most := func(asker string) (n int) {
		for add(asker, 600) != nil {
			n++
		}
		return n
	}
	first := add("greedy", 600)
	if n := most("greedy"); n != 3 {
		t.Errorf("one asker has %d more than one of eight, want 3", n)
	}
	if n := most("second"); n != 2 {
		t.Errorf("another has %d of the four that are left, want 2", n)
	}
	p.leave(first)
	p.leave(first) // leaves once
	if add("modest", 5_000) == nil {
		t.Error("a long ask does not enter")
	}
	if add("second", 600) != nil || add("other", 600) == nil {
		t.Error("the bytes are not shared")
	}
}
