// The stream's door: submitted queries, dead letters that are sent again, requests to forget a
// person.

package intake

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/failpoint"
	"protocolq/worker/journal"
	"protocolq/worker/publish"
)

// submitted takes messages from the stream. Each is acknowledged once it is journalled, or its
// refusal is written; until then it stays in the stream.
type submitted struct {
	*parts
	letters Stream
	durable Stream
	closed  <-chan struct{} // closed when nothing more is taken
}

// take takes one message. It blocks while there is no room, or the journal takes nothing; this
// keeps the consumer from pulling more.
func (s *submitted) take(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		if n, due := s.alarms.again("metadata", time.Now()); due { // it was not brought by the stream
			s.log.Error("message without metadata", "times", n, "err", err)
		}
		return
	}
	s.counted.submitted.Add(1)
	again := meta.NumDelivered > 1
	if again {
		s.counted.redelivered.Add(1)
	}
	h := &held{msg: msg, tries: int(min(meta.NumDelivered, 1<<20)), bytes: len(msg.Data()) + overhead,
		since: time.Now()}
	if !s.pending.wait(h) {
		_ = msg.NakWithDelay(0)
		return
	}
	if _, paused := s.paused(); paused { // it came before the consumer stopped
		s.pending.leave(h)
		_ = msg.NakWithDelay(pausedDelay)
		return
	}
	at := stored{meta.Sequence.Stream, meta.Timestamp}
	if msg.Subject() == s.names.Forget() {
		s.forget(h, at.token(), msg.Data())
		return
	}
	a := s.names.submitted(msg.Subject(), msg.Headers(), msg.Data(), at)
	if (again || a.again) && s.memory.Knows(a.token, a.near) {
		s.end(h, nil)
		return
	}
	s.replies.enter(a, h.since, again)
	s.ask(h, a, at)
}

// leaveFor is how long a query of a later version is left to workers of that version, while a fleet
// is being upgraded. After that it is refused.
const leaveFor = 5*time.Minute - mostBackoff - mostBackoff/10

// leftToOthers decides whether a message of this age that was read with this error is left to
// others.
func leftToOthers(err *messages.Error, age time.Duration) bool {
	return err.Newer && age.Abs() < leaveFor
}

var errNewer = errors.New("intake: the query is of a later version; update this worker")

// pausedDelay is how long a message is held back that comes as a pause begins: longer than the
// consumer goes on pulling, and short enough that it is not missed after the pause.
const pausedDelay = 5 * tick

// ask gives an ask to the journal.
func (s *submitted) ask(h *held, a *arrived, at stored) {
	now := time.Now()
	k, f := s.reader.read(a, now)
	if f != nil && leftToOthers(f.err, now.Sub(at.at)) {
		s.end(h, errNewer)
		return
	}
	if f != nil {
		s.refuse(h, a, f)
		return
	}
	err := s.reader.complete(k)
	if err == nil && !s.room.enter(k.entry.Reply) {
		s.end(h, errNoRoom)
		return
	}
	if err == nil {
		err = s.taken(func() error {
			if k.q.DeadlineMs > 0 {
				k.entry.Left = left(k.q.DeadlineMs, time.Now(), s.reader.patience)
			}
			return s.journal.Ask(&k.entry, &k.q, nil,
				func(err error) { s.ends.add(func() { s.journalled(h, k, err) }) })
		})
	}
	switch {
	case err == nil:
	case errors.Is(err, errClosed):
		s.end(h, err)
	default:
		s.refuse(h, a, s.reader.unfit(a, k, err))
	}
}

// journalled ends the handling of an ask that is journalled, or never will be.
func (s *submitted) journalled(h *held, k *ask, err error) {
	if err == nil {
		s.replies.passed(k.way, k.q.Partner, nil)
	}
	s.end(h, err)
}

// forget has a person forgotten: the body is the hex of the person's keyed hash.
func (s *submitted) forget(h *held, own string, body []byte) {
	person, ok := personOf(body)
	if !ok {
		if n, due := s.alarms.again("forget", time.Now()); due {
			s.log.Error("nobody is forgotten: the message is not the hex of a person's hash", "times", n, "bytes",
				len(body))
		}
		s.publishDead(h,
			s.names.unreadable(s.names.Forget(), own, "is not the hex of a person's hash, 32 digits", body), func() {})
		return
	}
	s.counted.forgets.Add(1)
	err := s.taken(func() error {
		return s.journal.Forget(person, func(err error) { s.ends.add(func() { s.end(h, err) }) })
	})
	if err != nil {
		s.end(h, err)
	}
}

// personOf reads the hex of a person's hash. Zero is the hash of nobody.
func personOf(body []byte) (person journal.Hash, ok bool) {
	if hex.DecodedLen(len(body)) != len(person) || len(body)%2 != 0 {
		return person, false
	}
	_, err := hex.Decode(person[:], body)
	return person, err == nil && person != journal.Hash{}
}

var errClosed = errors.New("intake: the doors are closed")

// taken offers something to the journal until the journal takes it, refuses it for good, or the
// door is closed.
func (s *submitted) taken(give func() error) error {
	for wait := firstWait; ; wait = min(2*wait, time.Second) {
		err := give()
		if err == nil || errors.Is(err, journal.ErrInvalid) {
			return err
		}
		s.trouble("journal takes nothing that is submitted", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.closed:
			timer.Stop()
			return errors.Join(errClosed, err)
		}
	}
}

// end acknowledges a message that is done with; otherwise the message comes again.
func (s *submitted) end(h *held, err error) {
	if s.pending.leave(h); err == nil {
		failpoint.Hit("before-ack")
		err = h.msg.Ack()
	} else {
		delay := backoff(h.tries)
		if s.pending.ended() {
			delay = 0 // to another worker
		}
		s.trouble("submitted message given back", err)
		err = h.msg.NakWithDelay(delay)
	}
	if err != nil {
		s.log.Debug("acknowledge", "err", err) // it comes again, and is recognised
	}
}

// mostBackoff is how long a failed message is held back at most.
const mostBackoff = 30 * time.Second

// backoff is how long a message is held back after so many deliveries, with up to a tenth more at
// random, so that messages that failed together do not come back together.
func backoff(tries int) time.Duration {
	d := min(time.Second<<min(max(tries-1, 0), 10), mostBackoff)
	return d + rand.N(d/10)
}

// refuse replies to the sender of a wrong message, or writes a dead letter if there is no place to
// reply to. Only then it acknowledges the message.
func (s *submitted) refuse(h *held, a *arrived, f *refusal) {
	l, refused := s.names.deadLetterOf(a, f), func() { s.replies.refused(a, f) }
	if f.to == "" {
		s.dead(slog.LevelError, l, f)
		switch {
		case s.room.admits(l):
			s.publishDead(h, l, refused)
		case l.reason == messages.DeadUnreadable:
			s.makeWay(h, l, errDeadLetters, refused)
		default: // it is a query
			s.end(h, errDeadLetters)
		}
		return
	}
	s.reply(a, f, func(err error) {
		switch {
		case err == nil:
			refused()
			s.end(h, nil)
		case publish.Permanent(err):
			l.reason, l.about.MsgID = messages.DeadReplyRefused, a.token+"/"+messages.DeadReplyRefused
			l.about.Why += "; the reply cannot be published: " + err.Error()
			s.publishDead(h, l, refused)
		default:
			s.end(h, err)
		}
	})
}

// reply sends a refusal, and calls sent once: for a durable one when it is stored, or has failed.
func (s *submitted) reply(a *arrived, f *refusal, sent func(error)) {
	id := ""
	if s.names.durable(f.to) {
		id = a.token
	}
	m, err := message(f.to, &f.result, f.encoding, a.env.Trace, id)
	switch {
	case err != nil: // for good
		err = fmt.Errorf("%w: %w", nats.ErrInvalidMsg, err)
	case id == "":
		err = s.replies.nc.PublishMsg(m)
	default:
		err = s.durable.Go(m, ackWait, func(_ uint64, err error) { s.ends.add(func() { sent(err) }) })
		if err == nil {
			return
		}
	}
	sent(err)
}

// makeWay drops an unreadable message that has no room among the dead letters.
func (s *submitted) makeWay(h *held, l *deadLetter, err error, after func()) {
	s.replies.letters.lose("there is no room for it", l.message(0), err)
	after()
	s.end(h, nil)
}

// mostTries is how many times to try to write the dead letter of an unreadable message, over 7 s,
// while there is no room for it. Then it goes into the local log: a message that is not an ask must
// not hold up asks. The dead letter of an ask waits as long as necessary.
const mostTries = 4

// publishDead publishes a dead letter, if necessary in its shortest form, calls after, and
// acknowledges the message that it is about. If it is not stored now, it is tried again when the
// message comes again.
func (s *submitted) publishDead(h *held, l *deadLetter, after func()) { s.publishCut(h, l, 0, after) }

func (s *submitted) publishCut(h *held, l *deadLetter, cut int, after func()) {
	written := func(err error) {
		switch {
		case err == nil:
			s.counted.letters.Add(1)
			after()
			s.end(h, nil)
		case publish.Permanent(err) && cut+1 < len(l.bodies()):
			s.publishCut(h, l, cut+1, after)
		case l.reason == messages.DeadUnreadable && h.tries >= mostTries &&
			(publish.Permanent(err) || publish.Full(err)):
			s.makeWay(h, l, err, after)
		default: // also if it is refused in every form: the stream's settings can be corrected
			s.end(h, err)
		}
	}
	err := s.letters.Go(l.message(cut), ackWait, func(_ uint64, err error) { s.ends.add(func() { written(err) }) })
	if err != nil {
		written(err)
	}
}
