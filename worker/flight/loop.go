// Loop: the one goroutine that owns the fold and the flights, and the goroutines that report to it:
// calls, turns, reads.

package flight

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// Turns are a partner's rate, concurrency and halt, over the whole fleet.
type Turns interface {
	// Try lets a call begin at once if the partner has no limit and no halt.
	Try(partner string) (leave func(), ok bool)
	// May reports whether a turn that was kept may be used: nothing has stopped calls meanwhile.
	May(partner string) bool
	// Enter waits for a call's turn until ctx ends.
	Enter(ctx context.Context, partner string) (Admission, error)
}

// Texts are the entries of the log.
type Texts interface {
	// Entry is the entry at a place: an ask, an answer, or the copy of one.
	Entry(ctx context.Context, at journal.Ref) (journal.Entry, error)
}

// Waker has a batch composed soon: a journal.Writer.
type Waker interface{ Wake() }

// Call asks the gateway the question of an ask once; attempt is the number of the call, as in
// [journal.Begin]. It calls fence when the request's first byte is about to leave, and sends
// nothing if fence gives an error. ctx ends when the call has to.
type Call func(ctx context.Context, a *journal.Ask, attempt int, fence func() error) Outcome

// LoopOptions are what a [Loop] needs. All of them are needed.
type LoopOptions struct {
	Flights Options // the loop sets Gate, Caller and Journal
	Turns   Turns
	Texts   Texts
	Call    Call
	Member  Member
	// CallTime is how long a call takes at most.
	CallTime time.Duration
	// Now is the member's monotonic clock, which the fold's times are on.
	Now func() time.Duration
}

// Member is what belongs to one member only, not to the next one of the same process.
type Member struct {
	Waker Waker
	// Fence says why no call may begin now; nil: a call may. It is called from many goroutines.
	Fence func() error
}

// ErrOver says that the member that began a call has ended: its lease is no longer valid.
var ErrOver = errors.New("flight: the member that began this call is over")

// Loop runs flights. The fold belongs to its goroutine: other code applies, composes or looks at it
// in [Loop.Do].
type Loop struct {
	o       LoopOptions
	flights *Flights
	do      chan func()
	ended   chan struct{} // closed when Run no longer takes anything
	reads   chan struct{} // one for each read under way
	idle    chan calling  // to goroutines that wait for another call
	ctx     context.Context
	others  sync.WaitGroup
	member  atomic.Pointer[Member] // set by the loop's goroutine
}

// The bounds of what waits in other goroutines.
const (
	mostReads = 64
	readTime  = time.Second            // for one answer
	pause     = 200 * time.Millisecond // before a failed read or turn is tried again
)

// NewLoop makes the loop of a member. It starts nothing.
func NewLoop(o LoopOptions, s *fleet.State, own *fleet.Own) (*Loop, error) {
	if o.Turns == nil || o.Texts == nil || o.Call == nil || o.Member.Waker == nil || o.Member.Fence == nil ||
		o.Now == nil ||
		o.CallTime <= 0 {
		return nil, errors.New("flight: Turns, Texts, Call, Member, CallTime and Now are needed")
	}
	l := &Loop{o: o, do: make(chan func()), ended: make(chan struct{}), reads: make(chan struct{}, mostReads),
		idle: make(chan calling)}
	o.Flights.Gate, o.Flights.Caller, o.Flights.Journal = l, l, l
	l.member.Store(&o.Member)
	var err error
	l.flights, err = New(o.Flights, s, own)
	return l, err
}

// Do calls do in the loop's goroutine, where do may read and change the fold and the flights, and
// waits until it returns. false: the loop has ended. do must not call Do.
func (l *Loop) Do(do func(f *Flights, now time.Duration)) bool {
	done := make(chan struct{})
	select {
	case l.do <- func() { do(l.flights, l.o.Now()); close(done) }:
		<-done
		return true
	case <-l.ended:
		return false
	}
}

// Rejoin is [Flights.Rejoin] with what belongs to the new member. A call of the former member whose
// first byte has not left is never made. Rejoin is called in Do.
func (l *Loop) Rejoin(s *fleet.State, own *fleet.Own, m Member) {
	l.member.Store(&m)
	l.flights.Rejoin(s, own)
}

// post is Do without waiting.
func (l *Loop) post(do func(f *Flights, now time.Duration)) {
	select {
	case l.do <- func() { do(l.flights, l.o.Now()) }:
	case <-l.ctx.Done():
	}
}

// Run runs until ctx ends. Calls that are under way then are cut, and have ended when Run returns.
// It is called once.
func (l *Loop) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer l.others.Wait()
	defer close(l.ended) // before that: one of the others may be in Do
	defer cancel()
	l.ctx = ctx
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		t.Reset(min(l.flights.Next(), l.o.Now()+time.Hour) - l.o.Now())
		select {
		case do := <-l.do:
			do()
		case <-t.C:
			l.flights.Tick(l.o.Now())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Try implements [Gate].
func (l *Loop) Try(partner string) (leave func(), ok bool) { return l.o.Turns.Try(partner) }

// May implements [Gate].
func (l *Loop) May(partner string) bool { return l.o.Turns.May(partner) }

// Enter implements [Gate].
func (l *Loop) Enter(partner string) {
	l.others.Go(func() {
		t, err := l.o.Turns.Enter(l.ctx, partner)
		if err != nil { // no call is made if a limit cannot be kept
			t = Admission{After: time.Second, Why: l.o.Flights.Words.Overloaded}
		}
		l.post(func(f *Flights, now time.Duration) { f.Entered(partner, t, now) })
	})
}

// Fence implements [Caller].
func (l *Loop) Fence() error { return l.member.Load().Fence() }

// Call implements [Caller]. There are never more calls at once than slots.
func (l *Loop) Call(r Request) {
	c := calling{l.member.Load(), r}
	select {
	case l.idle <- c: // to a goroutine that has made a call before: its stack is large enough
	default:
		l.others.Go(func() { l.calls(c) })
	}
}

// calling is a call, and the member that began it.
type calling struct {
	by *Member
	r  Request
}

// idleTime is for how long a goroutine that has made a call waits for another.
const idleTime = time.Second

// calls makes one call after the other, as long as more come.
func (l *Loop) calls(c calling) {
	idle := time.NewTimer(idleTime)
	defer idle.Stop()
	for {
		r, o := c.r, l.call(c.by, c.r)
		l.post(func(f *Flights, now time.Duration) { f.Ended(r, o, now) })
		idle.Reset(idleTime)
		select {
		case c = <-l.idle:
		case <-idle.C:
			return
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *Loop) call(m *Member, r Request) Outcome {
	ctx, cancel := context.WithTimeout(l.ctx, l.o.CallTime)
	defer cancel()
	asked := r.Ask
	if asked == nil {
		e, err := l.entry(ctx, r.At)
		if c, ok := e.(*journal.Carried); ok {
			e = c.Entry
		}
		a, ok := e.(*journal.Ask)
		// One of another key is there if the log was replaced.
		if err != nil || !ok || a.Key != r.Key { // counts as an attempt: an unreadable ask must not be tried for ever
			code := l.o.Flights.Words.Overloaded
			return Outcome{Class: Temporary, Code: code, Result: l.o.Flights.Result(code, r.Attempt)}
		}
		asked = a
	}
	var refused error
	o := l.o.Call(ctx, asked, r.Attempt, func() error {
		if refused = m.Fence(); l.member.Load() != m {
			refused = ErrOver
		}
		return refused
	})
	if refused != nil {
		return Outcome{Class: Unsent}
	}
	return o
}

// entry reads an entry. It tries again if a response is lost, but not for ever: a slot is in use
// meanwhile.
func (l *Loop) entry(ctx context.Context, at journal.Ref) (e journal.Entry, err error) {
	for range 3 {
		within, cancel := context.WithTimeout(ctx, readTime)
		e, err = l.o.Texts.Entry(within, at)
		cancel()
		if err == nil || ctx.Err() != nil {
			return e, err
		}
	}
	return e, err
}

// Wake implements [Journal].
func (l *Loop) Wake() { l.member.Load().Waker.Wake() }

// Read implements [Journal].
func (l *Loop) Read(at journal.Ref) {
	l.others.Go(func() {
		select {
		case l.reads <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		defer func() { <-l.reads }()
		e, err := l.entry(l.ctx, at)
		if err != nil {
			t := time.NewTimer(pause)
			defer t.Stop()
			select {
			case <-t.C:
			case <-l.ctx.Done():
			}
			e = nil
		}
		l.post(func(f *Flights, now time.Duration) { f.Read(at, e, now) })
	})
}
