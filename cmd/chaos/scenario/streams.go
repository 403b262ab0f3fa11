//go:build unix

// Harm to the streams that are made from the journal: each is away alone for a while.

package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// streamAway is how long a stream is away.
const streamAway = 6 * time.Second

// streamScenarios has one scenario for each stream that duties need.
func streamScenarios() (all []Scenario) {
	for _, kind := range []messages.Kind{messages.Replies, messages.Events, messages.Log, messages.Dead} {
		s := Scenario{Name: "no" + strings.ToLower(string(kind)),
			About: fmt.Sprintf("the stream %s deleted for %v, then made again", kind, streamAway),
			least: streamAway + 5*time.Second,
			harm: func(ctx context.Context, h *testbed.Bed, long time.Duration) error {
				return deleteFor(ctx, h, kind, long)
			}}
		if kind == messages.Dead {
			l := &letters{}
			s.harm, s.after, s.bounds.Strangers = l.harm, l.count, true
		}
		all = append(all, s)
	}
	return all
}

// deleteFor deletes a stream and provisions it again.
func deleteFor(ctx context.Context, h *testbed.Bed, kind messages.Kind, long time.Duration) error {
	if err := testbed.Pause(ctx, max(time.Second, (long-streamAway)/2)); err != nil {
		return err
	}
	at := h.Inject(verdict.Gone, string(kind))
	if err := h.Divert(ctx, kind); err != nil {
		return err
	}
	if err := h.Observer.JS.DeleteStream(ctx, h.Observer.Names.Stream(kind)); err != nil {
		return err
	}
	if err := testbed.Pause(ctx, streamAway); err != nil {
		return err
	}
	if err := h.MakeStreams(ctx); err != nil {
		return err
	}
	h.Recover(at)
	return nil
}

// letters are unreadable submitted messages, each of which must become a dead letter.
type letters struct{ sent, kept int }

// harm submits them before, during and after the absence of their stream.
func (l *letters) harm(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- deleteFor(ctx, h, messages.Dead, long) }()
	for {
		select {
		case err := <-ended:
			return err
		default:
		}
		one, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := h.Observer.JS.Publish(one, h.Observer.Names.Submit(), fmt.Appendf(nil, `{"v":1,"rubbish":%d`, l.sent))
		if cancel(); err != nil {
			return fmt.Errorf("submit rubbish: %w", err)
		}
		l.sent++
		if err := testbed.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// count wants a dead letter for each.
func (l *letters) count(ctx context.Context, h *testbed.Bed) error {
	return testbed.Eventually(ctx, testbed.Settle, fmt.Sprintf("%d dead letters", l.sent), func() bool {
		l.kept = 0
		err := h.Observer.Whole(ctx, messages.Dead, func(m jetstream.Msg) {
			if strings.Contains(string(m.Data()), "rubbish") {
				l.kept++
			}
		})
		return err == nil && l.kept == l.sent
	})
}
