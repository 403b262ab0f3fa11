//go:build unix

// The streams as witnesses: the records of the keys, the durable replies, the dead letters, and what must not be published.

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// observer listens to what the streams republish while the harm is done.
type observer struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	names messages.Names

	mu      sync.Mutex // guards all below
	written []written
	escaped []string
}

func observe(urls string) (*observer, error) {
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		return nil, err
	}
	o := &observer{names: names}
	o.nc, err = nats.Connect(urls, nats.Name("chaos observer"), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(10*time.Millisecond, 10*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("connect observer: %w", err)
	}
	if o.js, err = jetstream.New(o.nc); err != nil {
		return nil, err
	}
	sub, err := o.nc.Subscribe(names.ChangedAll(), func(m *nats.Msg) {
		at, _ := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
		var seq uint64
		_, _ = fmt.Sscan(m.Header.Get(jetstream.SequenceHeader), &seq)
		o.note(m.Subject, seq, at, m.Data)
	})
	if err != nil {
		return nil, fmt.Errorf("listen to changes: %w", err)
	}
	return o, sub.SetPendingLimits(-1, -1)
}

// note keeps one state of a record.
func (o *observer) note(subject string, seq uint64, at time.Time, body []byte) {
	r, err := dedupe.DecodeRecord(body)
	if err != nil {
		return
	}
	w := written{Key: subject[strings.LastIndexByte(subject, '.')+1:], Phase: string(r.Phase), Run: r.Run, Seq: seq, At: at.UnixMicro()}
	if r.Phase == dedupe.Done {
		a, _, err := messages.DecodeResult(r.Answer, string(messages.MsgPack))
		w.Conclusive = err == nil && a.Outcome.Conclusive()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written = append(o.written, w)
}

// guard watches a subject on which no result may ever be seen.
func (o *observer) guard(subject string) error {
	_, err := o.nc.Subscribe(subject, func(m *nats.Msg) {
		if _, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType)); err == nil {
			o.mu.Lock()
			o.escaped = append(o.escaped, m.Subject)
			o.mu.Unlock()
		}
	})
	return err
}

// each calls f for every message that a stream holds. A cluster whose leaders move swallows requests: it is asked again.
func (o *observer) each(ctx context.Context, kind messages.Kind, f func(jetstream.Msg)) (err error) {
	for range 5 {
		var all []jetstream.Msg
		if all, err = o.all(ctx, kind); err == nil {
			for _, m := range all {
				f(m)
			}
			return nil
		}
		if perr := pause(ctx, 2*time.Second); perr != nil {
			return errors.Join(perr, err)
		}
	}
	return fmt.Errorf("read %s: %w", kind, err)
}

// errBehind: a copy of a stream was read that has not caught up with its leader.
var errBehind = errors.New("not all that the leader has was read")

// all reads a stream from its beginning to its end, in one try. Whichever server reads it may be behind: its leader says how
// much there is.
func (o *observer) all(ctx context.Context, kind messages.Kind) (all []jetstream.Msg, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream, err := o.js.Stream(ctx, o.names.Stream(kind))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil || stream.CachedInfo().State.Msgs == 0 {
		return nil, err
	}
	c, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	held, err := c.Messages()
	if err != nil {
		return nil, err
	}
	defer held.Stop()
	for {
		m, err := held.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, err
		}
		all = append(all, m)
		meta, err := m.Metadata()
		if err == nil && meta.NumPending == 0 && uint64(len(all)) < stream.CachedInfo().State.Msgs {
			err = errBehind
		}
		if err != nil || meta.NumPending == 0 {
			return all, err
		}
	}
}

// count is how many messages a stream holds, 0 where there is none.
func (o *observer) count(ctx context.Context, kind messages.Kind) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := o.js.Stream(ctx, o.names.Stream(kind))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return stream.CachedInfo().State.Msgs, nil
}

// left is how many queries still wait in the streams.
func (o *observer) left(ctx context.Context) (sum uint64, err error) {
	for _, kind := range []messages.Kind{messages.Requests, messages.Waiting} {
		var n uint64
		for range 5 {
			if n, err = o.count(ctx, kind); err == nil {
				break
			}
		}
		if err != nil {
			return 0, fmt.Errorf("look at %s: %w", kind, err)
		}
		sum += n
	}
	return sum, nil
}

// testify adds what the streams hold, and what was seen, to t.
func (o *observer) testify(ctx context.Context, t *testimony) error {
	err := o.each(ctx, messages.State, func(m jetstream.Msg) {
		if meta, err := m.Metadata(); err == nil {
			o.note(m.Subject(), meta.Sequence.Stream, meta.Timestamp, m.Data())
		}
	})
	err = errors.Join(err, o.each(ctx, messages.Replies, func(m jetstream.Msg) {
		r, _, err := messages.DecodeResult(m.Data(), m.Headers().Get(messages.HeaderContentType))
		meta, merr := m.Metadata()
		if err == nil && merr == nil {
			t.reply(r, meta.Timestamp.UnixMicro())
		}
	}))
	err = errors.Join(err, o.each(ctx, messages.Dead, func(m jetstream.Msg) {
		t.Dead[m.Headers().Get(messages.HeaderID)] = m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
	}))
	left, lerr := o.left(ctx)
	t.Left, err = left, errors.Join(err, lerr)
	o.mu.Lock()
	defer o.mu.Unlock()
	t.Written, t.Escaped = append(t.Written, o.written...), append(t.Escaped, o.escaped...)
	return err
}

// reply is a durable reply that was found.
func (t *testimony) reply(r messages.Result, at int64) {
	if a := t.Asks[r.ID]; a != nil {
		a.Told = append(a.Told, telling{At: at, Outcome: string(r.Outcome), Code: r.Code, Run: r.Run, Source: string(r.Source)})
	}
}
