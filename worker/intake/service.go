// The query door: ask and wait, as a NATS micro service.

package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// service serves protocol.query. It replies with remembered answers itself and gives anything else
// to the journal.
type service struct {
	*parts
	answers  *answers
	turns    *turns
	patience time.Duration // of an asker without a deadline
	plain    atomic.Uint64 // queries at the subject without a partner
}

// open begins to serve; the returned func stops it, after which nothing more comes in.
func (s *service) open(ctx context.Context, o *Options, stats func() any) (stop func(context.Context), err error) {
	d := newDiscovery(o)
	d.data, d.replied = stats, s.counted.repliedTo
	d.endpoints = []*endpoint{
		{"query", s.names.Query(), s.plain.Load},
		{"query-partner", s.names.QueryAll(), func() uint64 { return s.counted.queries.Load() - s.plain.Load() }}}
	subs, err := d.listen(o.Reply)
	for _, e := range d.endpoints {
		if err == nil {
			subs, err = s.listen(o.Reply, e.subject, subs)
		}
	}
	stop = func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, ackWait)
		defer cancel()
		_ = end(subs)
		_ = flush(ctx, o.Reply)
		served := make(chan struct{})
		if o.Reply.Barrier(func() { close(served) }) == nil {
			select { // everything that had come in has gone through serve
			case <-served:
			case <-ctx.Done():
			}
		}
	}
	_ = flush(ctx, o.Reply) // an unreachable server gets it when it is back
	if err = cmp.Or(err, s.forbidden(o.Reply)); err != nil {
		stop(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("open the query door: %w", err)
	}
	return stop, nil
}

// listen takes the messages of a subject, in the workers' queue group. pending bounds them: limits
// of the subscription would drop asks silently.
func (s *service) listen(nc *nats.Conn, subject string, subs []*nats.Subscription) ([]*nats.Subscription, error) {
	sub, err := nc.QueueSubscribe(subject, messages.QueueGroup, s.serve)
	if err != nil {
		return subs, err
	}
	return append(subs, sub), sub.SetPendingLimits(-1, -1)
}

// forbidden is the server's refusal to let this user take queries, or nil. The server reports it
// only to the connection, which keeps the last of several refusals: query subjects were added last.
func (s *service) forbidden(nc *nats.Conn) error {
	word := nc.LastError()
	if !errors.Is(word, nats.ErrPermissionViolation) ||
		!strings.Contains(word.Error(), `Subscription to "`+s.names.Query()) {
		return nil
	}
	return fmt.Errorf("%w; set nats-reply-creds to a user that may take queries, such as the REPLIES of protocolq "+
		"nats-config", word)
}

// flush waits until the server has what was sent to it.
func flush(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	return nc.FlushWithContext(ctx)
}

// serve handles one message. It does not block.
func (s *service) serve(m *nats.Msg) {
	s.counted.queries.Add(1)
	if m.Subject == s.names.Query() {
		s.plain.Add(1)
	}
	a := &arrived{subject: m.Subject, reply: m.Reply, token: nuid.Next(), door: journal.Await}
	a.env, a.fault = s.names.ParseEnvelope(a.subject, m.Header, m.Data)
	now := time.Now()
	s.replies.enter(a, now, false)
	k, f := s.reader.read(a, now)
	if f != nil {
		s.refuse(a, f)
		return
	}
	kept, remembered := s.memory.Remembered(&k.entry)
	if remembered && s.remembered(k, kept, now) {
		return
	}
	if after, paused := s.paused(); paused && !remembered {
		s.replies.paused(k, after)
		return
	}
	s.store(a, k)
}

// remembered replies from memory to an asker that waits here, if possible. A durable reply goes
// through the journal, so that it surely arrives.
func (s *service) remembered(k *ask, m Kept, now time.Time) bool {
	if k.await == "" || k.q.ReplyTo != "" || s.names.durable(k.await) {
		return false
	}
	a, err := s.answers.of(m, k)
	if err == nil {
		err = s.replies.remembered(k, a, now)
	}
	if err != nil {
		if n, due := s.alarms.again("remembered", now); due {
			s.log.Error("remembered answer not understood", "times", n, "run", m.Answer.Run, "err", err)
		}
	}
	return err == nil
}

// store gives an ask to the journal when it is its asker's turn.
func (s *service) store(a *arrived, k *ask) {
	if err := s.reader.complete(k); err != nil {
		s.refuse(a, s.reader.unfit(a, k, err))
		return
	}
	if !s.room.enter(k.entry.Reply) {
		s.replies.failed(k, messages.Overloaded, "too many durable replies wait to be read")
		return
	}
	h := holding(k, s.patience)
	h.from = a
	switch {
	case !s.pending.add(h):
		s.replies.failed(k, messages.Overloaded, "")
	case s.turns.enter(h):
		s.give(h)
	}
}

// give gives an ask to the journal now.
func (s *service) give(h *held) {
	k := h.ask
	err := s.journal.Ask(&k.entry, &k.q, func() bool { return s.pending.unwanted(h) },
		func(err error) { s.stored(h, err) })
	if err == nil {
		return
	}
	s.left(h)
	switch replied := s.pending.leave(h); {
	case replied:
	case errors.Is(err, journal.ErrInvalid):
		s.refuse(h.from, s.reader.unfit(h.from, k, err))
	default:
		s.trouble("query not journalled", err)
		s.replies.failed(k, messages.Overloaded, notTaken(err))
	}
}

// left says that an ask is no longer on its way into the journal, and sends the asks whose turn it
// is.
func (s *service) left(h *held) {
	if s.turns.leave(h) {
		s.ends.add(func() {
			for next := s.turns.next(); next != nil; next = s.turns.next() {
				s.give(next)
			}
		})
	}
}

// stored handles that an ask is journalled, or never will be. It does not block.
func (s *service) stored(h *held, err error) {
	s.left(h)
	if err == nil && !h.ask.accepted() {
		if !s.pending.leave(h) {
			s.replies.passed(h.ask.way, h.ask.q.Partner, nil)
		}
		return
	}
	s.ends.add(func() {
		switch replied := s.pending.leave(h); {
		case replied:
		case err == nil:
			s.replies.reply(h.ask, messages.Result{V: messages.Version, Outcome: messages.Accepted})
		default:
			s.trouble("query not journalled", err)
			s.replies.failed(h.ask, messages.Overloaded, notTaken(err))
		}
	})
}

// refuse replies to the sender of a wrong message, or writes a dead letter if there is no place to
// reply to.
func (s *service) refuse(a *arrived, f *refusal) {
	s.replies.refused(a, f)
	if f.to != "" {
		s.replies.send(f.to, &f.result, f.encoding, a.env.Trace)
		return
	}
	l := s.names.deadLetterOf(a, f)
	s.dead(slog.LevelWarn, l, f)
	if !s.room.admits(l) {
		s.replies.letters.lose("refusals", l.message(0), errDeadLetters)
		return
	}
	s.replies.letters.add(l.message)
}
