// Sending parcels, and what follows from their ends.

package outbox

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// Stream stores messages in their streams: a publish.Publisher whose Run runs.
type Stream interface {
	// Go stores m and calls done once, when the server has answered or within has passed; done must
	// not block. An error of Go itself means that nothing was sent and done is never called. A refusal
	// by the server is a jetstream.APIError.
	Go(m *nats.Msg, within time.Duration, done func(sequence uint64, err error)) error
}

// ackWait is how long to wait for an acknowledgement.
const ackWait = 5 * time.Second

var (
	errUnwritable = errors.New("the message cannot be written")
	errNotWritten = errors.New("the line is not stored")
)

// permanent reports whether the same message would be refused each time.
func permanent(err error) bool { return errors.Is(err, errUnwritable) || publish.Permanent(err) }

// subjectFull reports whether a stream has no room for one subject, because its asker does not read
// its replies, but takes others. The server has one code for a full subject and a full stream, and
// only its text differs. If the text is not understood, the whole stream counts as full.
func subjectFull(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && publish.Full(err) && strings.Contains(api.Description, "per subject")
}

// ready is a reply with its message.
type ready struct {
	p *parcel
	m *nats.Msg
}

// send sends the parcels that a sink gave.
func (b *Outbox) send(s *sink, batch []*parcel, inboxes chan<- []*ready) {
	var replies []*ready
	for _, p := range batch {
		switch s.kind {
		case runLine:
			b.publishRun(p)
			continue
		case askLine:
			b.publishAsk(p)
			continue
		}
		m, err := b.message(p)
		if err == nil && !plain(m.Subject) {
			err = nats.ErrBadSubject
		}
		if err != nil {
			b.ended(p, fmt.Errorf("%w: %w", errUnwritable, err))
			continue
		}
		switch s.kind {
		case inboxReply:
			replies = append(replies, &ready{p, m})
		case durableReply:
			b.store(b.o.Replies, p, m)
		default:
			b.store(b.o.Streams, p, m)
		}
	}
	if len(replies) > 0 {
		inboxes <- replies // has room: a batch is taken only when none is on its way
	}
}

// plain reports whether a server accepts a message on the subject. Otherwise it would never be
// acknowledged.
func plain(subject string) bool {
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || strings.ContainsAny(token, "*> \t\r\n") {
			return false
		}
	}
	return true
}

// store publishes a message into its stream.
func (b *Outbox) store(to Stream, p *parcel, m *nats.Msg) {
	if err := to.Go(m, ackWait, func(_ uint64, err error) { b.ended(p, err) }); err != nil {
		b.ended(p, err)
	}
}

// message makes the message of a parcel. It is made again for each try, because a long wait should
// take little memory, and it is the same each time.
func (b *Outbox) message(p *parcel) (*nats.Msg, error) {
	t := p.task
	switch {
	case p.dead != nil:
		return p.dead.message(&b.o.Names, p.cut), nil
	case p.kind == event:
		r := b.resultOfRun(t)
		e := eventOf(t.duty.Run, &t.q, &r, p.cut)
		return eventMessage(&e, &r, t.duty.Run.Trace, &b.o)
	case p.kind == deadLetter && t.duty.Corrupt != nil:
		l := deadBatch(t.duty.Corrupt, &b.o.Names)
		return l.message(&b.o.Names, p.cut), nil
	case p.kind == deadLetter:
		r, _ := b.resultOfAsk(t)
		l := deadOf(t.duty.Ask, &t.q, &r, deadReason(t.duty.Ask, &t.q, b.o.Deaths), &b.o.Names)
		return l.message(&b.o.Names, p.cut), nil
	}
	return b.reply(p)
}

// reply makes the message of a reply.
func (b *Outbox) reply(p *parcel) (*nats.Msg, error) {
	t, ask := p.task, p.task.duty.Ask.Ask
	r, shared := b.resultOfAsk(t)
	to := reply{to: ask.Reply, encoding: messages.EncodingOf(ask.Encoding), trace: ask.Trace,
		token: ask.Token, durable: p.kind == durableReply}
	o := own(t.duty.Ask, &t.q, &r, t.made)
	if b.o.Replied != nil && !p.counted {
		p.counted = true
		b.o.Replied(&r, t.duty.Ask, t.made)
	}
	var body []byte
	var err error
	if shared != nil {
		body, err = shared.encode(to.encoding, o)
	} else {
		body, err = r.With(o).Encode(to.encoding)
	}
	if err != nil {
		return nil, err
	}
	return to.message(body, &r), nil
}

// resultOfAsk is the Result of an ask without the asker's own fields; shared if others get the
// same.
func (b *Outbox) resultOfAsk(t *task) (r messages.Result, shared *answer) {
	a := t.duty.Ask
	if a.Answer == nil {
		r = unanswered(a)
		r.Key, r.Partner, r.Question = t.q.Key, t.q.Partner, messages.QuestionText(a.Ask.Question)
		return r, nil
	}
	shared, err := b.answers.of(a.Answer, t.q.Key, t.q.Partner)
	if err != nil {
		b.misread(t.duty.Entry, err, time.Now())
	}
	return shared.result, shared
}

// resultOfRun is the Result that the askers of a run get.
func (b *Outbox) resultOfRun(t *task) messages.Result {
	shared, err := b.answers.of(t.duty.Run.Answer, t.q.Key, t.q.Partner)
	if err != nil {
		b.misread(t.duty.Entry, err, time.Now())
	}
	return shared.result
}

// publishRun publishes the line of a run.
func (b *Outbox) publishRun(p *parcel) {
	t := p.task
	r := b.resultOfRun(t)
	line, err := runLineOf(t.duty.Run, &r)
	if err != nil {
		b.misread(t.duty.Entry, err, time.Now())
	}
	b.o.Lines.PublishRun(querylog.Ran{Query: &t.q, Run: line, Done: func(written bool) { b.written(p, written) }})
}

// publishAsk publishes the line of an ask.
func (b *Outbox) publishAsk(p *parcel) {
	t := p.task
	r, _ := b.resultOfAsk(t)
	line := askLineOf(t.duty.Ask, &r, t.made, &b.o.Names)
	b.o.Lines.PublishAsk(querylog.Answered{Query: &t.q, Ask: line, Done: func(written bool) { b.written(p, written) }})
}

// written hands the end of a line to Run.
func (b *Outbox) written(p *parcel, written bool) {
	var err error
	if !written {
		err = errNotWritten
	}
	b.ended(p, err)
}

// end decides what follows from the end of a parcel.
func (b *Outbox) end(p *parcel, err error, now time.Time) {
	s := b.sinks[p.kind]
	s.ended(p)
	switch {
	case p.task.told.Load():
		b.leave(s, p)
	case err == nil:
		b.well(s)
		delete(s.lanes, p.lane)
		b.leave(s, p)
	case errors.Is(err, ErrNobody):
		b.well(s)
		if b.closing.Load() || p.missed == mostMissed {
			b.leave(s, p)
			return
		}
		s.retry(p, now.Add(missedWait<<p.missed))
		p.missed++
	case permanent(err):
		b.well(s) // it answers
		b.refused(s, p, err, now)
	case p.lane != "" && subjectFull(err):
		b.well(s) // for all other subjects
		s.laneFull(p, now)
		b.alarm(s, err, now)
	default:
		s.failed(p, now)
		if now.Sub(s.since) < lasting && !publish.Full(err) {
			return // an acknowledgement was lost, or a leader is elected
		}
		b.alarm(s, err, now)
	}
}

// lasting is how long a stream may be unavailable before that is an error: an election is over by
// then.
const lasting = 10 * time.Second

// alarm logs what does not get through.
func (b *Outbox) alarm(s *sink, err error, now time.Time) {
	if n, due := s.alarm.again(now); due {
		b.log.Error("not published, tried again", "what", s.kind.String(), "failures", n,
			"waiting", s.waiting.Load(), "err", err,
			"hint", "is its stream there, has it room, and are its readers behind?")
	}
}

// leave removes a parcel.
func (b *Outbox) leave(s *sink, p *parcel) {
	s.leave()
	p.task.left--
}

func (b *Outbox) well(s *sink) {
	if s.well() && !s.alarm.last.IsZero() {
		s.alarm = alarm{}
		b.log.Info("published again", "what", s.kind.String())
	}
}

// refused handles a message that would be refused each time: an event and a dead letter are
// shortened, a reply becomes a dead letter.
func (b *Outbox) refused(s *sink, p *parcel, err error, now time.Time) {
	s.refused.Add(1)
	if n, due := s.refusal.again(now); due {
		b.log.Error("refused for good", "what", s.kind.String(), "refusals", n,
			"entry", p.task.duty.Entry.String(), "err", err)
	}
	switch {
	case p.kind == event && p.cut < eventCuts, p.kind == deadLetter && p.cut < len(deadBodies)-1:
		p.cut++
		s.ready = append(s.ready, p)
	case p.kind == inboxReply || p.kind == durableReply:
		t := p.task
		r, _ := b.resultOfAsk(t)
		l := deadReply(t.duty.Ask, &t.q, &r, &b.o.Names, err)
		t.left++
		b.sinks[deadLetter].add(&parcel{task: t, kind: deadLetter, dead: &l})
		b.leave(s, p)
	default:
		b.lost.Add(1)
		b.leave(s, p)
	}
}
