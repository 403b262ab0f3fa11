// What runs in the background: it asks the questions that are due, and keeps the replies.

package watches

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/provision"
)

// Why nobody can be watched.
var (
	ErrOldServer  = errors.New("watches need a NATS server of 2.12 or later")
	ErrNoStream   = errors.New("watches have no stream, or no consumer of their replies: run 'protocolq provision'")
	errConnection = errors.New("not connected to NATS")
)

// readyFor is how long the result of a check is used.
const readyFor = 20 * time.Second

// readiness is the result of the last check.
type readiness struct {
	mu  sync.Mutex // guards the rest
	at  time.Time
	err error
}

// Ready returns nil if a watch can begin, else ErrOldServer, ErrNoStream or another obstacle.
func (w *Watches) Ready(ctx context.Context) error {
	r := &w.ready
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.at.IsZero() || now.Sub(r.at) > readyFor {
		r.at, r.err = now, w.look(ctx)
	}
	return r.err
}

// look checks that the server has what watches need.
func (w *Watches) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime) // other callers use the result, too
	defer cancel()
	if !w.o.NATS.IsConnected() {
		return errConnection
	}
	if !provision.HasSchedules(w.o.NATS) {
		return ErrOldServer
	}
	for _, c := range [][2]string{{w.o.Names.Stream(messages.Watches), messages.ConsumerWatches},
		{w.o.Names.Stream(messages.Replies), messages.ConsoleName}} {
		_, err := w.o.JetStream.Consumer(ctx, c[0], c[1])
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
			return ErrNoStream
		case err != nil:
			return fmt.Errorf("look for %s of %s: %w", c[1], c[0], err)
		}
	}
	return nil
}

// afterFault is the wait before the next try.
const afterFault = 5 * time.Second

// Run asks questions and reads replies until ctx ends. If it cannot, it logs that once, and tries
// again.
func (w *Watches) Run(ctx context.Context) {
	for said := ""; ctx.Err() == nil; {
		err := w.Ready(ctx)
		if err == nil {
			said = ""
			err = w.serve(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			w.o.Logger.Warn("nobody is watched at the moment", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(afterFault):
		}
	}
}

func (w *Watches) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.takeDue(ctx) })
	g.Go(func() error {
		return w.o.Asker.Replies(ctx, ask.ReadOptions{Name: messages.ConsoleName, Logger: w.o.Logger}, w.hear)
	})
	return g.Wait()
}

// How a consumer is read: by one request after another. Each is shorter than the time for which the
// server keeps the path of its responses.
const (
	pullFor   = 20 * time.Second
	heartbeat = 5 * time.Second
	handleFor = 10 * time.Second // within the time for an acknowledgement
	mostAgain = time.Minute
)

// takeDue takes due messages, one after another. All consoles share them.
func (w *Watches) takeDue(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	consumer, err := w.o.JetStream.Consumer(looking, w.o.Names.Stream(messages.Watches), messages.ConsumerWatches)
	if err != nil {
		return fmt.Errorf("read what is due: %w", err)
	}
	telling := new(errgroup.Group)
	telling.SetLimit(tellAtOnce)
	defer func() { _ = telling.Wait() }()
	for ctx.Err() == nil {
		pulling, cancel := context.WithTimeout(ctx, pullFor)
		m, err := consumer.Next(jetstream.FetchContext(pulling), jetstream.FetchHeartbeat(heartbeat))
		cancel()
		switch {
		case err == nil:
			w.handle(ctx, m, telling)
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
			errors.Is(err, jetstream.ErrNoMessages):
		default:
			return fmt.Errorf("read what is due: %w", err)
		}
	}
	return nil
}

// handle handles one message. If it fails, the message is delivered again.
func (w *Watches) handle(ctx context.Context, m jetstream.Msg, telling *errgroup.Group) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), handleFor)
	defer cancel()
	parts := strings.Split(m.Subject(), ".")
	n := name{parts[max(len(parts)-2, 0)], parts[len(parts)-1]}
	var d due
	err := json.Unmarshal(m.Data(), &d)
	if err == nil {
		err = w.due(within, n, d.AtMs)
	}
	if !errors.Is(err, errOwed) {
		w.settle(m, n, err)
		return
	}
	if !telling.TryGo(func() error {
		w.settle(m, n, w.tell(ctx, n, d.Tries))
		return nil
	}) {
		_ = m.NakWithDelay(afterFault)
	}
}

// settle acknowledges a message, or has it delivered again later.
func (w *Watches) settle(m jetstream.Msg, n name, err error) {
	if err == nil {
		_ = m.Ack() // if the ack is lost, the message comes again and has no effect
		return
	}
	wait := afterFault
	if meta, merr := m.Metadata(); merr == nil {
		wait = min(wait<<min(meta.NumDelivered, 8), mostAgain)
	}
	w.o.Logger.Warn("a watch that is due is tried again", "watch", n.id, "wait", wait, "err", err)
	_ = m.NakWithDelay(wait)
}

// due does what decide says. It is safe to do a step twice: if a process dies in the middle, the
// message comes again and the rest is done.
func (w *Watches) due(ctx context.Context, n name, dueMs int64) error {
	f, ok, err := w.store.get(ctx, n)
	if err != nil || !ok { // forgotten, perhaps
		return err
	}
	now := time.Now()
	if at := time.UnixMilli(dueMs); now.Before(at) {
		now = at // it is due by the server's clock; by a slower clock here, its time would come again
	}
	may := true
	if f.Query != nil {
		may, err = w.o.May(f.By, f.Query.Partner)
	}
	// If it is not known whether the user may ask, only an end by age is certain. All else is done
	// later.
	switch what, as := decide(n, &f.record, dueMs, now, w.o.Every, may || err != nil); what {
	case replan:
		return w.store.plan(ctx, n, time.UnixMilli(f.DueMs))
	case finish:
		f.end(as, now)
		w.owe(&f.record)
		if err := w.store.put(ctx, &f); err != nil || !f.Owed {
			return err
		}
		return errOwed
	case tell:
		return errOwed
	case again:
		if at := time.UnixMilli(f.DueMs); at.After(now) {
			if err := w.store.plan(ctx, n, at); err != nil {
				return err
			}
		}
		return w.submit(ctx, &f)
	case skip, submit:
		if err != nil {
			return err
		}
		at := next(time.UnixMilli(f.BegunMs), now, w.o.Every)
		if err := w.store.plan(ctx, n, at); err != nil {
			return err
		}
		f.DueMs = at.UnixMilli()
		if what == submit {
			f.Open, f.Sent, f.AskedMs = n.question(dueMs), false, now.UnixMilli()
		}
		if err := w.store.put(ctx, &f); err != nil || what == skip {
			return err
		}
		return w.submit(ctx, &f)
	}
	return nil
}

// submit submits the open question of a watch, and notes that it has.
func (w *Watches) submit(ctx context.Context, f *found) error {
	q := *f.Query
	age := fresh
	q.V, q.ID, q.MaxAgeMs = messages.Version, f.Open, &age
	if _, err := w.o.Asker.Submit(ctx, q); err != nil {
		return fmt.Errorf("ask for a watch: %w", err)
	}
	f.Sent = true
	if err := w.store.put(ctx, f); !errors.Is(err, errChanged) { // else a change came first, such as its reply
		return err
	}
	return nil
}

// hear keeps a reply with its watch. It ignores replies to others, and replies for a watch that no
// longer exists.
func (w *Watches) hear(ctx context.Context, a ask.Reply) error {
	n, ok := nameIn(a.ID)
	if !ok {
		return nil
	}
	now, owed, mine := watching, false, true
	ok, err := w.change(ctx, n, func(r *record) {
		mine = r.hear(a.Result, time.Now())
		w.owe(r)
		now, owed = r.State, r.Owed
	})
	if !mine {
		w.o.Logger.Error("a reply to what no watch asked is dropped", "watch", n.id, "run", a.Run)
	}
	if ok && now != watching {
		w.o.Logger.Info("a watch has ended", "watch", n.id, "state", string(now))
	}
	if err == nil && !ok && w.o.Webhook != nil {
		// It ended before, when this reply came and was not acknowledged, say. What was written just
		// now is not read again, because the server that is asked may not have it yet.
		var f found
		f, _, err = w.store.get(ctx, n)
		owed = f.Owed
	}
	if err != nil || !owed {
		return err
	}
	return w.store.plan(ctx, n, time.Now())
}
