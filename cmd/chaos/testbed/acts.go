//go:build unix

// Actions of a scenario in a test bed that are not harm: commands of an operator, crowds of askers,
// other streams.

package testbed

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Victim is a place among the workers, chosen by the seed.
func (h *Bed) Victim() int { return h.Rand.IntN(len(h.Fleet)) }

// RubbishOf is up to 4 KiB made from the seed.
func (h *Bed) RubbishOf() string {
	b := make([]byte, 1+h.Rand.IntN(4<<10))
	for i := range b {
		b[i] = byte(h.Rand.UintN(256))
	}
	return string(b)
}

// Command runs the program and requires that it ends well.
func (h *Bed) Command(ctx context.Context, args ...string) error {
	p, err := start(ctx, h.Dir, "command-"+args[0]+"-"+args[1], nil, h.Programs.protocolq,
		append(args, "--nats", h.Cluster.uRLs())...)
	if err != nil {
		return err
	}
	if code, err := p.End(20 * time.Second); err != nil || code != 0 {
		return fmt.Errorf("%v ended with %d: %w", args, code, err)
	}
	h.Inject("command", fmt.Sprint(args))
	return nil
}

// SubmitMany submits questions about as many accounts, many at a time.
func (h *Bed) SubmitMany(ctx context.Context, n int) error {
	nc, _, err := h.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(500))
	if err != nil {
		return err
	}
	for i := range n {
		q := messages.Query{V: messages.Version, ID: fmt.Sprintf("halted-%d", i),
			UserEmail: EmailOf("signed", fmt.Sprintf("halted%d.%d", h.Seed, i)), ReplyTo: "protocol.reply.chaos.halted"}
		body, err := q.Encode(messages.MsgPack)
		if err != nil {
			return err
		}
		m := &nats.Msg{Subject: h.Observer.Names.Submit(), Data: body,
			Header: nats.Header{messages.HeaderContentType: {string(messages.MsgPack)}}}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(20*time.Second)); err != nil {
			return fmt.Errorf("submit: %w", err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Crowd starts one more asker, with accounts of its own, each asked for once or more. It asks under
// its name, so that it does not share its turns with the others.
func (h *Bed) Crowd(ctx context.Context, name string, offset uint64, keys float64, long time.Duration) error {
	p, err := start(ctx, h.Dir, "asker-"+name, nil, h.Programs.self, "asker", "-name", name, "-nats", h.Cluster.uRLs(),
		"-seed", fmt.Sprint(h.Seed+offset<<32),
		"-begin", fmt.Sprint(time.Now().UnixMicro()), "-for", long.String(), "-settle", h.Settle.String(), "-rate",
		fmt.Sprint(1.4*keys), "-keys", fmt.Sprint(keys),
		"-doors", h.Doors, "-plain="+fmt.Sprint(h.Plain), "-only-named", "-out", filepath.Join(h.Dir, name+".jsonl"))
	if err != nil {
		return err
	}
	h.askers = append(h.askers, p)
	return nil
}

// Divert makes a stream accept nothing more, and saves what it holds: what is published from here
// on finds no stream.
func (h *Bed) Divert(ctx context.Context, kind messages.Kind) error {
	stream, err := h.Observer.JS.Stream(ctx, h.Observer.Names.Stream(kind))
	if err != nil {
		return err
	}
	c := stream.CachedInfo().Config
	c.Subjects = []string{"chaos.nobody." + string(kind)}
	if _, err := h.Observer.JS.UpdateStream(ctx, c); err != nil {
		return fmt.Errorf("divert %s: %w", kind, err)
	}
	if kind != messages.Log {
		return h.Observer.save(ctx, kind)
	}
	return Eventually(ctx, 20*time.Second, "the recorder has taken out all lines", func() bool {
		n, err := h.Observer.Count(ctx, messages.Log)
		return err == nil && n == 0
	})
}

// Connect is a connection of the chaos test's own.
func (h *Bed) Connect() (*nats.Conn, jetstream.JetStream, error) {
	// what a server refuses is no harm
	nc, err := nats.Connect(h.Cluster.uRLs(), nats.Name("chaos"),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	return nc, js, err
}
