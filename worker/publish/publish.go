// Publishing into streams: one subscription for all acknowledgements, read without reflection.

// Package publish stores messages in JetStream streams and reports when they are stored.
//
// It does less than the NATS client's own publishing: it adds no header, repeats nothing, and reads
// an acknowledgement in its usual form without a JSON parser. The journal, the outbox and the query
// log publish through it, so that a worker spends much of its time here.
package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoAck says that no acknowledgement came in time: it is not known whether the message was
// stored.
var ErrNoAck = errors.New("publish: no acknowledgement in time")

// Full reports whether err is the server's refusal because the stream has no room.
func Full(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == codeFull
}

// Permanent reports whether err says that the same message would be refused every time: it is too
// long for the stream or the connection, or no server accepts it.
func Permanent(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode == codeTooLarge || api.ErrorCode == codeHeaderTooLong
	}
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) ||
		errors.Is(err, nats.ErrInvalidMsg) || errors.Is(err, nats.ErrBadHeaderMsg)
}

// The server's codes for messages that it does not store.
const (
	codeFull          = jetstream.ErrorCode(10077)
	codeTooLarge      = jetstream.ErrorCode(10054) // above the stream's max_msg_size
	codeHeaderTooLong = jetstream.ErrorCode(10097)
)

// Publisher publishes on one connection. All methods are safe for concurrent use.
type Publisher struct {
	nc   *nats.Conn
	busy chan struct{} // wakes Run from its rest; has room for one

	mu      sync.Mutex // guards the rest; held for lines, never while bytes are sent
	inbox   string     // with the dot at its end; "" before the first message
	last    uint64     // number of the latest message
	waiting map[uint64]wait

	reconnects uint64 // of the connection, at the last look
	seen       uint64 // number of the latest message then
	quiet      int    // looks since there was a new one
	resting    bool   // Run looks no more, until there is a message
}

// wait is for one acknowledgement; exactly one of its two receivers is used, once.
type wait struct {
	told  chan<- result                    // for Publish; has room
	done  func(sequence uint64, err error) // for Go
	until time.Time                        // zero: until Publish's ctx ends
}

type result struct {
	sequence uint64
	err      error
}

func (w wait) end(r result) {
	if w.told != nil {
		w.told <- r
		return
	}
	w.done(r.sequence, r.err)
}

// New makes a Publisher. It subscribes to its acknowledgements with the first message.
func New(nc *nats.Conn) *Publisher {
	return &Publisher{nc: nc, busy: make(chan struct{}, 1), waiting: map[uint64]wait{},
		reconnects: nc.Stats().Reconnects}
}

var channels = sync.Pool{New: func() any { return make(chan result, 1) }}

// Publish stores m and returns its sequence in the stream. If the server refuses, the error is a
// [jetstream.APIError]. After any other error, also that of ctx, it is not known whether the
// message was stored.
func (p *Publisher) Publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	return p.publish(ctx, m, time.Time{})
}

// PublishWithin is Publish, but ends with [ErrNoAck] after within, or at most a quarter of a second
// later, and at once when the client reconnects. It relies on the timer of [Publisher.Run]: while
// Run does not run, and if within is 0, only ctx ends it.
func (p *Publisher) PublishWithin(ctx context.Context, within time.Duration, m *nats.Msg) (uint64, error) {
	if within == 0 {
		return p.Publish(ctx, m)
	}
	return p.publish(ctx, m, time.Now().Add(within))
}

func (p *Publisher) publish(ctx context.Context, m *nats.Msg, until time.Time) (uint64, error) {
	told := channels.Get().(chan result)
	n, err := p.send(m, wait{told: told, until: until})
	if err != nil {
		return 0, err
	}
	select {
	case r := <-told:
		channels.Put(told)
		return r.sequence, r.err
	case <-ctx.Done():
		if p.take(n) != nil { // nobody writes to the channel any more
			channels.Put(told)
		}
		return 0, ctx.Err()
	}
}

// Go stores m and calls done once, when the server has responded or within has passed ([ErrNoAck]).
// done must not block. If Go itself returns an error, nothing was sent and done is never called.
func (p *Publisher) Go(m *nats.Msg, within time.Duration, done func(sequence uint64, err error)) error {
	_, err := p.send(m, wait{done: done, until: time.Now().Add(within)})
	return err
}

// Run ends overdue waits of Go and PublishWithin until ctx ends, and then ends all that are left.
// After a reconnect it ends all waits for messages that were on their way: their acknowledgements
// were lost with the old connection. It is called once.
func (p *Publisher) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			reconnected, rests := p.look()
			if reconnected {
				now = time.Time{}
			}
			p.expire(now)
			if rests {
				tick.Stop()
			}
		case <-p.busy:
			tick.Reset(lookEvery)
		case <-ctx.Done():
			p.expire(time.Time{})
			return
		}
	}
}

// How often Run looks, and how often it still does so without a new message.
const (
	lookEvery = 250 * time.Millisecond
	lastLooks = 8
)

// look says whether the client has reconnected since the last look, and whether there is no need to
// look again before the next message: timers cost a worker at rest much of its CPU.
func (p *Publisher) look() (reconnected, rests bool) {
	n := p.nc.Stats().Reconnects
	p.mu.Lock()
	defer p.mu.Unlock()
	reconnected, p.reconnects = n != p.reconnects, n
	if p.quiet++; p.last != p.seen {
		p.seen, p.quiet = p.last, 0
	}
	p.resting = p.quiet >= lastLooks && len(p.waiting) == 0
	return reconnected, p.resting
}

// expire ends overdue waits; at the zero time it ends all waits that have an end.
func (p *Publisher) expire(now time.Time) {
	var overdue []wait
	p.mu.Lock()
	for n, w := range p.waiting {
		if !w.until.IsZero() && (now.IsZero() || now.After(w.until)) {
			overdue = append(overdue, w)
			delete(p.waiting, n)
		}
	}
	p.mu.Unlock()
	for _, w := range overdue {
		w.end(result{err: ErrNoAck})
	}
}

// send publishes m with the address for its acknowledgement.
func (p *Publisher) send(m *nats.Msg, w wait) (uint64, error) {
	n, inbox, err := p.add(w)
	if err != nil {
		return 0, err
	}
	m.Reply = inbox + strconv.FormatUint(n, 36)
	if err := p.nc.PublishMsg(m); err != nil {
		if p.take(n) == nil && w.done != nil {
			return n, nil // ended meanwhile, and reported
		}
		return 0, fmt.Errorf("publish: %w", err)
	}
	return n, nil
}

func (p *Publisher) add(w wait) (n uint64, inbox string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inbox == "" {
		inbox := p.nc.NewInbox() + "."
		sub, err := p.nc.Subscribe(inbox+"*", p.heard)
		if err != nil {
			return 0, "", fmt.Errorf("publish: hear of acknowledgements: %w", err)
		}
		// No more acknowledgements can come than were asked for, and the publishers bound those.
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			return 0, "", fmt.Errorf("publish: hear of acknowledgements: %w", err)
		}
		p.inbox = inbox
	}
	p.last++
	p.waiting[p.last] = w
	if p.resting {
		p.resting, p.reconnects = false, p.nc.Stats().Reconnects
		p.busy <- struct{}{} // has room: Run takes it before it rests again
	}
	return p.last, p.inbox, nil
}

// take removes and returns a wait, or nil if it has ended.
func (p *Publisher) take(n uint64) *wait {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, waits := p.waiting[n]
	if !waits {
		return nil
	}
	delete(p.waiting, n)
	return &w
}

// heard handles the server's response to one message.
func (p *Publisher) heard(m *nats.Msg) {
	p.mu.Lock()
	inbox := len(p.inbox)
	p.mu.Unlock()
	n, err := strconv.ParseUint(m.Subject[min(inbox, len(m.Subject)):], 36, 64)
	if err != nil {
		return // not ours
	}
	if w := p.take(n); w != nil {
		w.end(readAck(m))
	}
}

// readAck reads {"stream":"…","seq":…} directly, and any other form as JSON.
func readAck(m *nats.Msg) result {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return result{err: jetstream.ErrNoStreamResponse}
	}
	if n, ok := usual(m.Data); ok {
		return result{sequence: n}
	}
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
	}
	switch err := json.Unmarshal(m.Data, &ack); {
	case err != nil || ack.Error == nil && (ack.Stream == "" || ack.Sequence == 0):
		return result{err: jetstream.ErrInvalidJSAck}
	case ack.Error != nil:
		return result{err: fmt.Errorf("publish: %w", ack.Error)}
	}
	return result{sequence: ack.Sequence}
}

// usual reads the sequence of an acknowledgement of the form {"stream":"NAME","seq":17}.
func usual(data []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"stream":"`))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 1 {
		return 0, false
	}
	if rest, ok = bytes.CutPrefix(rest[end:], []byte(`","seq":`)); !ok {
		return 0, false
	}
	var n uint64
	digits := 0
	for ; digits < len(rest) && digits < 19 && '0' <= rest[digits] && rest[digits] <= '9'; digits++ {
		n = n*10 + uint64(rest[digits]-'0')
	}
	return n, n > 0 && string(rest[digits:]) == "}"
}
