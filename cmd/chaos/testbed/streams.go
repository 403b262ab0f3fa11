//go:build unix

// The streams as evidence: the journal, the durable replies, the events, the dead letters, and what
// must not be published.

package testbed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// observer listens to what the streams republish during the harm.
type observer struct {
	Conn    *nats.Conn
	JS      jetstream.JetStream
	Names   messages.Names
	Journal *follower
	probe   *probe
	stop    context.CancelFunc

	mu      sync.Mutex // guards all below
	escaped []string
	saved   map[messages.Kind][]jetstream.Msg // what streams held before they were deleted
}

func observe(urls string, replicas int) (*observer, error) {
	nc, err := nats.Connect(urls, nats.Name("chaos observer"), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(10*time.Millisecond, 10*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("connect observer: %w", err)
	}
	return observeBy(nc, replicas)
}

// observeBy observes over a connection, which belongs to it from then on.
func observeBy(nc *nats.Conn, replicas int) (*observer, error) {
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		return nil, err
	}
	o := &observer{Conn: nc, Names: names, saved: map[messages.Kind][]jetstream.Msg{}}
	if o.JS, err = jetstream.New(o.Conn); err != nil {
		return nil, err
	}
	if o.Journal, err = follow(o.Conn, names.Stream(messages.Journal), names.Prefix()+".journal.",
		names.Prefix()+".followed."); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	o.stop = stop
	o.probe = &probe{jS: o.JS}
	go o.Journal.run(ctx)
	go o.probe.run(ctx, replicas)
	return o, nil
}

// close ends the listening.
func (o *observer) close() {
	o.stop()
	o.Conn.Close()
}

// Guard watches a subject on which no result may ever appear.
func (o *observer) Guard(subject string) error {
	_, err := o.Conn.Subscribe(subject, func(m *nats.Msg) {
		if _, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType)); err == nil {
			o.mu.Lock()
			o.escaped = append(o.escaped, m.Subject)
			o.mu.Unlock()
		}
	})
	return err
}

// Each calls f for every message in a stream. A cluster whose leaders move loses requests: they are
// repeated.
func (o *observer) Each(ctx context.Context, kind messages.Kind, f func(jetstream.Msg)) (err error) {
	for range 5 {
		var all []jetstream.Msg
		if all, err = o.all(ctx, kind); err == nil {
			for _, m := range all {
				f(m)
			}
			return nil
		}
		if perr := Pause(ctx, 2*time.Second); perr != nil {
			return errors.Join(perr, err)
		}
	}
	return fmt.Errorf("read %s: %w", kind, err)
}

// errBehind says that the copy of a stream that was read has not caught up with its leader.
var errBehind = errors.New("not all that the leader has was read")

// all reads a stream from its beginning to its end, in one try. The server that it reads from may
// be behind: the leader knows how many messages there are.
func (o *observer) all(ctx context.Context, kind messages.Kind) (all []jetstream.Msg, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream, err := o.JS.Stream(ctx, o.Names.Stream(kind))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil || stream.CachedInfo().State.Msgs == 0 {
		return nil, err
	}
	c, end, err := reading(ctx, stream)
	if err != nil {
		return nil, err
	}
	defer end()
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

// reading makes a consumer that removes nothing; end deletes it. In the work queue of replies it
// acknowledges nothing, and is the only consumer while it exists: no page reads there.
func reading(ctx context.Context, stream jetstream.Stream) (c jetstream.Consumer, end func(), err error) {
	end = func() {}
	if stream.CachedInfo().Config.Retention != jetstream.WorkQueuePolicy {
		c, err = stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
		return c, end, err
	}
	err = stream.DeleteConsumer(ctx, messages.ConsoleName)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, end, err
	}
	c, err = stream.CreateConsumer(ctx,
		jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, MaxAckPending: -1})
	if err != nil {
		return nil, end, err
	}
	return c, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = stream.DeleteConsumer(ctx, c.CachedInfo().Name) // else it ends by itself
	}, nil
}

// Count is how many messages a stream holds, 0 if there is no stream.
func (o *observer) Count(ctx context.Context, kind messages.Kind) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stream, err := o.JS.Stream(ctx, o.Names.Stream(kind))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return stream.CachedInfo().State.Msgs, nil
}

// Left is how many queries still wait in the streams.
func (o *observer) Left(ctx context.Context) (sum uint64, err error) {
	for _, kind := range []messages.Kind{messages.Submitted} {
		var n uint64
		for range 5 {
			if n, err = o.Count(ctx, kind); err == nil {
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

// gather adds to t what the streams hold, and what they held before they were deleted.
func (o *observer) gather(ctx context.Context, t *verdict.Evidence) error {
	journal, err := o.Journal.all(ctx)
	t.Journal, t.Stalls = journal, o.probe.all()
	err = errors.Join(err, o.Whole(ctx, messages.Replies, func(m jetstream.Msg) {
		t.Durable[m.Headers().Get(messages.HeaderMsgID)]++
		r, _, err := messages.DecodeResult(m.Data(), m.Headers().Get(messages.HeaderContentType))
		meta, merr := m.Metadata()
		if err == nil && merr == nil {
			if t.Durable[m.Headers().Get(messages.HeaderMsgID)] > 1 {
				return // a repeat, with the same id
			}
			t.Reply(r, meta.Timestamp.UnixMicro())
		}
	}))
	err = errors.Join(err, o.Whole(ctx, messages.Events, func(m jetstream.Msg) {
		t.Events[m.Headers().Get(messages.HeaderRun)]++
	}))
	err = errors.Join(err, o.Whole(ctx, messages.Dead, func(m jetstream.Msg) {
		t.Dead[m.Headers().Get(messages.HeaderID)] = m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
		t.Letters++
	}))
	left, lerr := o.Left(ctx)
	t.Left, err = left, errors.Join(err, lerr)
	o.mu.Lock()
	defer o.mu.Unlock()
	t.Escaped = append(t.Escaped, o.escaped...)
	return err
}

// Whole calls f for everything that a stream holds or held.
func (o *observer) Whole(ctx context.Context, kind messages.Kind, f func(jetstream.Msg)) error {
	o.mu.Lock()
	before := o.saved[kind]
	o.mu.Unlock()
	for _, m := range before {
		f(m)
	}
	return o.Each(ctx, kind, f)
}

// save keeps the content of a stream that will be deleted.
func (o *observer) save(ctx context.Context, kind messages.Kind) error {
	var all []jetstream.Msg
	if err := o.Each(ctx, kind, func(m jetstream.Msg) { all = append(all, m) }); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.saved[kind] = append(o.saved[kind], all...)
	return nil
}
