// Waiting for the answers to what was submitted, among the durable replies of its asker.

package ask

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// awaiting gives each line that is under way the durable reply to it. A reply is acknowledged once
// the line's answer is kept. What is to nobody who waits is given back.
type awaiting struct {
	client  *ask.Client
	store   batch.Asker
	batch   string        // how ids begin that only this batch has
	timeout time.Duration // of a line, to be stored and answered
	since   time.Time     // replies that were stored before are to others; the server's time

	mu      sync.Mutex // guards the rest
	waits   map[string]*wait
	settled map[string]bool // the latest lines of this batch whose answers are kept
	latest  []string        // these, a ring
	next    int
}

// wait is one line that waits.
type wait struct {
	query  messages.Query
	since  time.Time
	result messages.Result
	came   chan struct{} // closed when result is there
	kept   chan struct{} // closed when it is on disk
}

const (
	// mostSettled is more than can be kept and not acknowledged when a run is killed.
	mostSettled = 2 * maxWindow
	// mostReaders is how many replies are read at once.
	mostReaders = 64
	// A reply that nobody here waits for, or not yet, is left for so long: doubled each time.
	leastLeft, mostLeft = 100 * time.Millisecond, 10 * time.Second
	// mostSkew is how much the clocks of two servers may differ.
	mostSkew = 5 * time.Second
)

var errSameID = errors.New("another line with the same id is under way")

// awaitAll has o ask by a, and begins to read.
func (s *submit) awaitAll(ctx context.Context, nc *nats.Conn, a *awaiting, o *batch.Options) (context.Context, func(),
	error) {
	js, err := natsconn.JetStream(nc, s.cfg)
	if err != nil {
		return ctx, nil, fmt.Errorf("await: %w", err)
	}
	stream := s.allNames().Stream(messages.Replies)
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	consumer, err := js.Consumer(within, stream, s.name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return ctx, nil, &cli.Error{Code: cli.ExitNoAnswer, Err: fmt.Errorf("%s has no consumer %s", stream, s.name),
			Hint: "'protocolq provision --asker " + s.name + "' makes it"}
	}
	if err != nil {
		return ctx, nil, natsconn.NoAnswer(err, "the consumer "+s.name+" of "+stream, s.timeout)
	}
	a.since = consumer.CachedInfo().TimeStamp.Add(-mostSkew)
	a.waits, a.settled = map[string]*wait{}, map[string]bool{}
	a.latest = make([]string, mostSettled)
	o.Ask, o.Look, o.Kept = a.submit, a.look, a.keep
	running, stop := context.WithCancelCause(ctx)
	reading, end := context.WithCancel(context.WithoutCancel(ctx))
	var reader sync.WaitGroup
	reader.Go(func() {
		read := ask.ReadOptions{Name: s.name, AtOnce: min(o.Window, mostReaders)}
		if err := a.client.Replies(reading, read, a.take); err != nil {
			stop(fmt.Errorf("read the answers: %w", err))
		}
	})
	return running, func() { end(); reader.Wait(); stop(nil) }, nil
}

// submit stores a line and waits for the reply to it.
func (a *awaiting) submit(ctx context.Context, q messages.Query) (messages.Result, error) {
	return a.wait(ctx, q, a.since, a.store)
}

// look waits for the reply to a line that an earlier run stored.
func (a *awaiting) look(ctx context.Context, q messages.Query) (messages.Result, error) {
	return a.wait(ctx, q, time.Time{}, func(context.Context, messages.Query) (messages.Result, error) {
		return messages.Result{Outcome: messages.Accepted}, nil
	})
}

func (a *awaiting) wait(ctx context.Context, q messages.Query, since time.Time, store batch.Asker) (messages.Result,
	error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	w := &wait{query: q, since: since, came: make(chan struct{}), kept: make(chan struct{})}
	a.mu.Lock()
	taken := a.waits[q.ID] != nil
	if !taken {
		a.waits[q.ID] = w
	}
	a.mu.Unlock()
	if taken {
		return messages.Result{}, errSameID
	}
	r, err := store(ctx, q)
	if err == nil && r.Outcome == messages.Accepted {
		select {
		case <-w.came:
		case <-ctx.Done():
			err = fmt.Errorf("no durable reply came: %w", ctx.Err())
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-w.came: // it may have come after all
		return w.result, nil
	default:
		delete(a.waits, q.ID)
		return r, err
	}
}

// take gives a reply to the line that waits for it, and returns nil once its answer is kept.
func (a *awaiting) take(ctx context.Context, r ask.Reply) error {
	a.mu.Lock()
	w := a.waits[r.ID]
	switch {
	case w == nil && a.settled[r.ID]: // a run was killed before it had acknowledged it
		a.mu.Unlock()
		return nil
	case w == nil || r.Stored.Before(w.since) || !answers(r.Result, w.query) || w.has():
		a.mu.Unlock()
		return ask.After(min(leastLeft<<min(r.Deliveries-1, 10), mostLeft))
	}
	w.result = r.Result
	close(w.came)
	a.mu.Unlock()
	select {
	case <-w.kept:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-w.kept:
		return nil
	default:
		return ctx.Err()
	}
}

func (w *wait) has() bool {
	select {
	case <-w.came:
		return true
	default:
		return false
	}
}

// answers reports whether r is to q; a refusal may name no question.
func answers(r messages.Result, q messages.Query) bool {
	return r.Question == "" || r.Answers(q)
}

// keep ends the wait of a line whose answer is kept.
func (a *awaiting) keep(l batch.Line) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := l.Query.ID
	if w := a.waits[id]; w != nil {
		close(w.kept)
		delete(a.waits, id)
	}
	if !strings.HasPrefix(id, a.batch) || a.settled[id] {
		return
	}
	delete(a.settled, a.latest[a.next])
	a.latest[a.next], a.settled[id] = id, true
	a.next = (a.next + 1) % len(a.latest)
}
