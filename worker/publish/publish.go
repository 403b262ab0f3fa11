// Publishing into streams: one subscription for all acknowledgements, read without reflection.

// Package publish stores messages in JetStream streams and reports when they are stored.
//
// It does less than the NATS client's own publishing: it adds no header, tries nothing again, and
// reads an acknowledgement in its usual form without a JSON parser. The journal, the outbox and the
// query log publish through it, so much of a worker's time is spent here.
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

// ErrNoAck says that no acknowledgement came in time: whether the message was stored is not known.
var ErrNoAck = errors.New("publish: no acknowledgement in time")

// Full reports whether err is the server's refusal because the stream has no room.
func Full(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == codeFull
}

// Permanent reports whether err says that the same message would be refused each time: it is too
// long for the stream or the connection, or is none that a server takes.
func Permanent(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode == codeTooLarge || api.ErrorCode == codeHeaderTooLong
	}
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) ||
		errors.Is(err, nats.ErrInvalidMsg) || errors.Is(err, nats.ErrBadHeaderMsg)
}

// What a server says of a message that it does not store.
const (
	codeFull          = jetstream.ErrorCode(10077)
	codeTooLarge      = jetstream.ErrorCode(10054) // above the stream's max_msg_size
	codeHeaderTooLong = jetstream.ErrorCode(10097)
)

// Publisher publishes on one connection. All methods are safe for concurrent use.
type Publisher struct {
	nc *nats.Conn

	mu      sync.Mutex // guards what follows; held for lines, never over I/O
	inbox   string     // with the dot at its end; "" before the first message
	last    uint64     // the newest number of a message
	waiting map[uint64]wait
}

// wait is for one acknowledgement; exactly one of its funcs is called, once.
type wait struct {
	told  chan<- result                    // of Publish; has room
	done  func(sequence uint64, err error) // of Go
	until time.Time                        // zero: for as long as Publish's ctx lets it
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
	return &Publisher{nc: nc, waiting: map[uint64]wait{}}
}

var channels = sync.Pool{New: func() any { return make(chan result, 1) }}

// Publish stores m and gives its sequence in the stream. What the server answers instead is a
// [jetstream.APIError]; any other error, that of ctx too, leaves open whether the message was
// stored.
func (p *Publisher) Publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	return p.publish(ctx, m, time.Time{})
}

// PublishWithin is Publish that ends with [ErrNoAck] after within, a quarter of a second later at
// most, and at once when the connection is a new one. It needs no timer of its own but
// [Publisher.Run]: before that begins and after it has ended only ctx ends it, as it does where
// within is 0.
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

// Go stores m and calls done once, when the server has answered or within has passed ([ErrNoAck]).
// done must not block. An error of Go itself means that nothing was sent and done is never called.
func (p *Publisher) Go(m *nats.Msg, within time.Duration, done func(sequence uint64, err error)) error {
	_, err := p.send(m, wait{done: done, until: time.Now().Add(within)})
	return err
}

// Run looks for acknowledgements of Go and PublishWithin that are overdue until ctx ends, and then
// gives up all that are left. After a new connection it gives up all that were on their way: they
// were lost with the old one.
func (p *Publisher) Run(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	before := p.nc.Stats().Reconnects
	for {
		select {
		case now := <-tick.C:
			if n := p.nc.Stats().Reconnects; n != before {
				before, now = n, time.Time{}
			}
			p.expire(now)
		case <-ctx.Done():
			p.expire(time.Time{})
			return
		}
	}
}

// expire ends the waits with an end that are overdue, at the zero time all of them.
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

// send publishes m with the address of its acknowledgement.
func (p *Publisher) send(m *nats.Msg, w wait) (uint64, error) {
	n, inbox, err := p.add(w)
	if err != nil {
		return 0, err
	}
	m.Reply = inbox + strconv.FormatUint(n, 36)
	if err := p.nc.PublishMsg(m); err != nil {
		if p.take(n) == nil && w.done != nil {
			return n, nil // given up meanwhile, and reported
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
		// As many can come as were asked for, and the publishers bound those.
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			return 0, "", fmt.Errorf("publish: hear of acknowledgements: %w", err)
		}
		p.inbox = inbox
	}
	p.last++
	p.waiting[p.last] = w
	return p.last, p.inbox, nil
}

// take removes a wait; nil when it has ended.
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

// heard takes in what the server says of one message.
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

// readAck reads {"stream":"…","seq":…} by eye, and whatever else there may be as JSON.
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
