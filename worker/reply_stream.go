// What goes into a stream with a reply, before it or in its place: durable replies, waiting, dead
// letters, events.

package worker

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"protocolq/messages"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// runChores does what must be done before a reply: the event of a run whose
// owner may have died, the dead letter. It has goroutines of its own, so that a
// stream in trouble holds up nobody else's reply; more than one, as what a dead worker
// held is delivered again all at once.
func (p *replier) runChores(ctx context.Context) {
	var all errgroup.Group
	for range choresAtOnce {
		all.Go(func() error { p.doChores(ctx); return nil })
	}
	_ = all.Wait()
}

const choresAtOnce = 32

func (p *replier) doChores(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-p.chores:
			if j.event {
				told := p.w.event(ctx, &j.a.q, &j.r)
				if j.record != nil {
					p.w.logRun(ctx, &j.a.q, p.w.runLine(j.record, &j.r))
				}
				told()
			}
			if j.letter != nil {
				p.w.bury(ctx, j.letter)
			}
			p.enqueue(j)
		}
	}
}

// isDurable tells a reply that goes into the stream of replies.
func (p *replier) isDurable(subject string) bool {
	return strings.HasPrefix(subject, p.w.o.Names.Reply())
}

// publishDurable publishes a reply into the stream; runDurable sees to what comes of it.
func (p *replier) publishDurable(ctx context.Context, j *job) {
	m, err := p.message(j.to, &j.r, j.encoding, j.trace)
	if err == nil {
		m.Header[messages.HeaderMsgID] = []string{j.token}
		err = p.to.Go(m, publishTimeout, func(_ uint64, err error) { p.inStream(j, err) })
	}
	if err != nil {
		p.refused(ctx, j, err)
	}
}

// inStream hands a job whose message is stored, or is not, to runDurable. It does not block.
func (p *replier) inStream(j *job, refusal error) {
	j.refusal = refusal
	p.mu.Lock()
	p.settled = append(p.settled, j)
	p.mu.Unlock()
	select {
	case p.settle <- struct{}{}:
	default:
	}
}

// postpone lets an ask wait: one that waits already is handed back to the server
// until then, any other is written into the stream of waiting queries first.
func (p *replier) postpone(j *job) {
	if j.a.waiting {
		p.w.taken.leave(j.a)
		if err := j.msg.NakWithDelay(j.wait); err != nil {
			p.w.log.Debug("hand back", "err", err)
		}
		p.left.Done()
		return
	}
	err := p.w.to.Go(p.w.waitingMessage(j), publishTimeout, func(_ uint64, err error) { p.inStream(j, err) })
	if err != nil {
		p.retryLater(j, err)
	}
}

// runDurable acknowledges asks whose durable reply, or whose place among the
// waiting, is stored.
func (p *replier) runDurable(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.settle:
		}
		p.mu.Lock()
		settled := p.settled
		p.settled = nil
		p.mu.Unlock()
		var stored, refused []*job
		for _, j := range settled {
			if j.refusal != nil {
				refused = append(refused, j)
				continue
			}
			stored = append(stored, j)
		}
		p.log(ctx, stored)
		for _, j := range refused { // which may take its time
			p.refused(ctx, j, j.refusal)
		}
	}
}

// log has the lines of jobs that are replied to published, and is done with each after its line.
// One that waits has no line yet, and what was in no stream has had its own. It does not block:
// while the log is full its asks stay in the worker, which bounds them.
func (p *replier) log(ctx context.Context, replied []*job) {
	for _, j := range replied {
		done := func(written bool) { p.done(j, written && ctx.Err() == nil) }
		if j.a == nil || j.wait > 0 {
			done(true)
			continue
		}
		p.w.lines.PublishAsk(querylog.Answered{Query: &j.a.q, Ask: storedLine(j), Done: done})
	}
}

// refused deals with a message that was not stored: a reply without room becomes
// a dead letter; otherwise the ask comes again and is answered from memory.
func (p *replier) refused(ctx context.Context, j *job, err error) {
	if publish.Full(err) && j.wait == 0 {
		p.w.log.Error("stream of replies is full", "hint", "its readers are behind, or it needs more room")
		l := &letter{reason: messages.DeadReplyFull, Envelope: messages.Envelope{Token: j.token}}
		if j.a != nil {
			l = p.w.letterOf(j.a, messages.DeadReplyFull, j.r)
		}
		l.Why = "the stream of replies is full"
		if p.w.bury(ctx, l) {
			p.done(j, true)
			return
		}
	}
	p.retryLater(j, err)
}

// retryLater hands an ask back to the server for a moment.
func (p *replier) retryLater(j *job, err error) {
	p.w.log.Warn("not stored: tried again", "waiting", j.wait > 0, "err", err)
	if j.a != nil {
		p.w.taken.leave(j.a)
	}
	if j.msg != nil {
		_ = j.msg.NakWithDelay(jittered(time.Second))
	}
	p.left.Done()
}
