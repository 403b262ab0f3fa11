// A connection to the log: where requests, replies and republished messages are late or lost.

package journaltest

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"protocolq/worker/journal"
)

var errNoReply = errors.New("journaltest: no reply")

// Conn is one process's connection to a [Log]; it is a [journal.Log].
type Conn struct {
	log *Log

	// What follows is guarded by the log's lock.
	faults    Faults
	rand      *rand.Rand
	cut       bool
	followers []*follower
}

// SetFaults changes what goes wrong from now on.
func (c *Conn) SetFaults(f Faults) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.faults = f
}

// Cut says whether the connection is cut. Requests on their way still arrive; nothing else does, in
// either direction.
func (c *Conn) Cut(cut bool) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.cut = cut
}

// Append implements [journal.Appender].
func (c *Conn) Append(ctx context.Context, a journal.Append) (uint64, error) {
	a.Data = slices.Clone(a.Data)
	return request(ctx, c, func() (uint64, error) {
		l := c.log
		switch {
		case l.gone || !l.leader:
			return 0, errNoReply
		case l.last(a.Member).Position == a.Expect && c.by(c.faults.Refuse):
			return 0, journal.ErrRefused
		}
		return l.append(a)
	})
}

// Last implements [journal.Appender].
func (c *Conn) Last(ctx context.Context, m journal.Member) (journal.Message, error) {
	return request(ctx, c, func() (journal.Message, error) {
		if c.log.gone || !c.log.leader {
			return journal.Message{}, errNoReply
		}
		return c.log.last(m), nil
	})
}

// AtLeader implements [journal.Leader].
func (c *Conn) AtLeader(ctx context.Context, position uint64) (journal.Message, error) {
	return request(ctx, c, func() (m journal.Message, err error) {
		l := c.log
		if l.gone || !l.leader {
			return m, errNoReply
		}
		if i := l.from(position); i < len(l.messages) && l.messages[i].Position == position {
			m = l.messages[i]
		}
		return m, nil
	})
}

// nextMost is how many messages Next gives at most.
const nextMost = 64

// Next implements [journal.Source]: any replica answers, even without a leader.
func (c *Conn) Next(ctx context.Context, from uint64) ([]journal.Message, error) {
	return request(ctx, c, func() ([]journal.Message, error) {
		l := c.log
		if l.gone {
			return nil, errNoReply
		}
		known := l.messages
		if c.faults.Behind > 0 {
			known = known[:max(0, len(known)-c.rand.IntN(c.faults.Behind+1))]
		}
		known = known[min(l.from(from), len(known)):]
		return slices.Clone(known[:min(len(known), nextMost)]), nil
	})
}

// Get implements [journal.Getter].
func (c *Conn) Get(ctx context.Context, position uint64) (journal.Message, error) {
	all, err := c.Next(ctx, position)
	if err != nil || len(all) == 0 || all[0].Position != position {
		return journal.Message{}, err
	}
	return all[0], nil
}

// State implements [journal.Keeper].
func (c *Conn) State(ctx context.Context) (journal.State, error) {
	return request(ctx, c, func() (journal.State, error) {
		l := c.log
		if l.gone || !l.leader {
			return journal.State{}, errNoReply
		}
		s := journal.State{First: l.next, Last: l.next - 1, Bytes: uint64(l.bytes), MaxBytes: uint64(l.room)}
		if len(l.messages) > 0 {
			s.First = l.messages[0].Position
		}
		return s, nil
	})
}

// Purge implements [journal.Keeper].
func (c *Conn) Purge(ctx context.Context, below uint64) error {
	_, err := request(ctx, c, func() (struct{}, error) {
		l := c.log
		if l.gone || !l.leader {
			return struct{}{}, errNoReply
		}
		l.keep(l.messages[l.from(below):])
		return struct{}{}, nil
	})
	return err
}

// request carries a request to the log, runs it there, and carries the reply back, whatever happens
// to ctx meanwhile.
func request[T any](ctx context.Context, c *Conn, do func() (T, error)) (T, error) {
	type reply struct {
		v   T
		err error
	}
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	replies := make(chan reply, 1)
	l := c.log
	arrive := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		v, err := do()
		if errors.Is(err, errNoReply) || c.cut || c.by(c.faults.LoseReply) {
			return
		}
		after(c.within(c.faults.Delay), func() { replies <- reply{v, err} })
	}
	l.mu.Lock()
	sent := !c.cut && !c.by(c.faults.LoseRequest)
	delay := c.within(c.faults.Delay)
	l.mu.Unlock()
	if sent {
		after(delay, arrive)
	}
	select {
	case r := <-replies:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// by reports whether something with this chance happens. The caller holds the log's lock.
func (c *Conn) by(chance float64) bool { return chance > 0 && c.rand.Float64() < chance }

// within is a time of at most d. The caller holds the log's lock.
func (c *Conn) within(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(c.rand.Int64N(int64(d) + 1))
}

// after calls do after d. Without a delay the caller waits for it, so that a connection without
// faults has one order.
func after(d time.Duration, do func()) {
	if d <= 0 {
		do()
		return
	}
	time.AfterFunc(d, do)
}

// Follow implements [journal.Source].
func (c *Conn) Follow(each func(journal.Message)) (func(), error) {
	f := &follower{each: each, changed: make(chan struct{}, 1), stop: make(chan struct{})}
	c.log.mu.Lock()
	c.followers = append(c.followers, f)
	c.log.mu.Unlock()
	var ended sync.WaitGroup
	ended.Go(func() { f.run(&c.log.mu) })
	return func() {
		c.log.mu.Lock()
		c.followers = slices.DeleteFunc(c.followers, func(o *follower) bool { return o == f })
		c.log.mu.Unlock()
		close(f.stop)
		ended.Wait()
	}, nil
}

// publish sends a stored message to the followers on this connection. The caller holds the log's
// lock.
func (c *Conn) publish(m journal.Message) {
	for _, f := range c.followers {
		if c.cut || c.by(c.faults.LoseFollowed) {
			continue
		}
		at := time.Now().Add(c.within(c.faults.Delay))
		if f.newest.After(at) {
			at = f.newest // a subscription keeps its order
		}
		f.newest = at
		if c.by(c.faults.Late) {
			at = at.Add(c.within(c.faults.LateBy))
		}
		f.add(at, m)
		if c.by(c.faults.Twice) {
			f.add(at.Add(c.within(c.faults.LateBy)), m)
		}
	}
}

// follower is one subscription.
type follower struct {
	each    func(journal.Message)
	changed chan struct{} // has room for one
	stop    chan struct{}

	// What follows is guarded by the log's lock.
	newest time.Time // when the newest message arrives, without late ones
	due    []arrival // in the order of their arrival
}

type arrival struct {
	at time.Time
	m  journal.Message
}

func (f *follower) add(at time.Time, m journal.Message) {
	i, _ := slices.BinarySearchFunc(f.due, at, func(a arrival, at time.Time) int {
		return cmp.Or(a.at.Compare(at), -1) // after others of the same time
	})
	f.due = slices.Insert(f.due, i, arrival{at, m})
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// run hands messages on when they arrive.
func (f *follower) run(mu *sync.Mutex) {
	for {
		mu.Lock()
		wait := time.Duration(-1)
		if len(f.due) > 0 {
			wait = time.Until(f.due[0].at)
			if wait <= 0 {
				m := f.due[0].m
				f.due = f.due[1:]
				mu.Unlock()
				f.each(m)
				continue
			}
		}
		mu.Unlock()
		if !f.wait(wait) {
			return
		}
	}
}

// wait waits for d, for ever if it is below 0, or until something changes; false: the end.
func (f *follower) wait(d time.Duration) bool {
	var due <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
	case <-f.changed:
	case <-f.stop:
		return false
	}
	return true
}
