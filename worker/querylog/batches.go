// Batches: lines that come together go into one message, which is published until the stream has
// it.

package querylog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/pause"
	"protocolq/worker/publish"
)

// How long lines wait for others, and how long one try may take.
const (
	askLinger     = 20 * time.Millisecond // delays the acknowledgement as well
	rememberedFor = 100 * time.Millisecond
	tryFor        = 5 * time.Second
	lasting       = 10 * time.Second      // from then on it is an error; an election is over by then
	firstTryAgain = 50 * time.Millisecond // doubles
	lastTryAgain  = 2 * time.Second
	saidEvery     = 30 * time.Second // lost lines are logged at this interval
)

// publishRuns publishes the lines of runs. Lines that come while a message is on its way go into
// the next message: the disk is synced once for all of them.
func (p *Publisher) publishRuns(ctx context.Context) {
	var room []Ran // reuses the memory of the batch before
	c := &codec{writing: true}
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.moreRuns:
		}
		p.mu.Lock()
		runs := p.runs
		p.runs = room
		p.mu.Unlock()
		for i := range runs {
			runs[i].Run = p.masker.run(runs[i].Query, runs[i].Run)
		}
		lines, faults := encodeRuns(runs, c)
		if len(faults) > 0 {
			p.refuse(len(faults), faults[0])
		}
		written := p.publishAll(ctx, p.o.Names.LogRun(), JoinRuns(lines), halvesOfRuns)
		for i := range runs {
			runs[i].Done(written)
		}
		room, c.out = roomOf(runs), roomOf(c.out)
	}
}

// publishAsks publishes the lines of stored asks, as many as have come together.
func (p *Publisher) publishAsks(ctx context.Context) {
	var room []Answered // reuses the memory of the batch before
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.moreAsks:
		}
		select { // wait for more asks: the askers have their replies already
		case <-ctx.Done():
			return
		case <-p.drained:
		case <-time.After(askLinger):
		}
		p.mu.Lock()
		answered := p.asks
		p.asks = room
		p.mu.Unlock()
		for some := range slices.Chunk(answered, MaxAsks) {
			lines := make([]Ask, len(some))
			for i := range some {
				lines[i] = p.masker.ask(some[i].Query, some[i].Ask)
			}
			written := p.publishLines(ctx, lines)
			for i := range some {
				some[i].Done(written)
			}
		}
		room = roomOf(answered)
	}
}

// roomOf empties the memory of a batch for the next one: allocating it anew each time was a twelfth
// of what a worker allocates. After a much smaller batch the memory is released.
func roomOf[T any](s []T) []T {
	clear(s)
	if len(s) < cap(s)/4 {
		return nil
	}
	return s[:0]
}

// giveBack calls Done(false) of all that wait, and of all that still come.
func (p *Publisher) giveBack() {
	p.mu.Lock()
	runs, asks := p.runs, p.asks
	p.runs, p.asks, p.ended = nil, nil, true
	p.mu.Unlock()
	for i := range runs {
		runs[i].Done(false)
	}
	for i := range asks {
		asks[i].Done(false)
	}
}

// publishLines publishes the lines of asks; false means that ctx ended first.
func (p *Publisher) publishLines(ctx context.Context, asks []Ask) (written bool) {
	slices.SortStableFunc(asks, func(x, y Ask) int { return strings.Compare(x.Run, y.Run) }) // like lines side by side
	lines, faults := encodeAsks(asks)
	if len(faults) > 0 {
		p.refuse(len(faults), faults[0])
	}
	return p.publishAll(ctx, p.o.Names.LogAsk(), lines, halvesOfAsks)
}

// publishRemembered publishes the lines of answers from memory, until ctx ends and then once more.
func (p *Publisher) publishRemembered(ctx context.Context) {
	var room []Ask // reuses the memory of the batch before
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-p.moreRemembered:
			ended = pause.For(ctx, rememberedFor) != nil
		}
		p.mu.Lock()
		asks := p.remembered
		p.remembered = room
		p.mu.Unlock()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
		switch written := p.publishLines(last, asks); {
		case written:
		case ended:
			p.lose(len(asks), errEnded, "is the stream of the query log there?")
		default:
			p.keep(asks...) // try again with the next ones, as long as there is room
		}
		cancel()
		room = roomOf(asks)
	}
}

// publishAll publishes lines until the stream has them; false means that ctx ended first. A message
// that is refused for good is halved and tried again, so that only a line that is too long by
// itself is given up, and counted.
func (p *Publisher) publishAll(ctx context.Context, subject string, lines []Line, halves func(Line) []Line) bool {
	for _, line := range lines {
		refusal, ended := p.publish(ctx, subject, line)
		if ended {
			return false
		}
		if refusal == nil {
			continue
		}
		if parts := halves(line); len(parts) == 0 {
			p.refuse(1, refusal)
		} else if !p.publishAll(ctx, subject, parts, halves) {
			return false
		}
	}
	return true
}

// publish publishes one line. refusal says that the stream will never take it, ended that ctx ended
// first. While the stream is full or unavailable, publish logs that once. One lost acknowledgement,
// for example of a machine that stood still, is not logged.
func (p *Publisher) publish(ctx context.Context, subject string, line Line) (refusal error, ended bool) {
	begun := time.Now()
	for tries, wait := 1, firstTryAgain; ; tries, wait = tries+1, min(2*wait, lastTryAgain) {
		_, err := p.o.To.PublishWithin(ctx, tryFor,
			&nats.Msg{Subject: subject, Data: line.Data, Header: nats.Header{jetstream.MsgIDHeader: {line.MsgID}}})
		if err == nil || publish.Permanent(err) { // in both cases the stream responds
			p.full.Store(false)
			if p.loud.Swap(false) {
				p.log.Info("query log is written again")
			}
			return err, false
		}
		if tries > 1 || publish.Full(err) {
			p.full.Store(true)
		}
		if (time.Since(begun) >= lasting || publish.Full(err)) && !p.loud.Swap(true) {
			p.log.Error("query log not written, its lines wait", "err", err, "hint",
				"is its stream there, is a recorder running, and does the database take its rows?")
		}
		select {
		case <-ctx.Done():
			return nil, true
		case <-time.After(wait):
		}
	}
}

var errEnded = errors.New("the worker has ended")

// refuse counts lines that no stream will take, or not this one.
func (p *Publisher) refuse(n int, err error) {
	p.lose(n, err, "do the stream of the query log and the server take messages of 64 KiB?")
}

// lose counts lines that never reach the stream, and logs that now and then.
func (p *Publisher) lose(n int, err error, hint string) {
	p.lost.Add(uint64(n))
	now := time.Now().UnixNano()
	if said := p.said.Load(); said != 0 && now-said < int64(saidEvery) || !p.said.CompareAndSwap(said, now) {
		return
	}
	p.log.Error("line not logged", "err", err, "lost", p.lost.Load(), "hint", hint)
}
