// Batches: lines that come together go into one message, tried until the stream has it.

package querylog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/publish"
)

// How long lines wait for others, and how long one try may take.
const (
	askLinger       = 20 * time.Millisecond // also of the acknowledgement
	rememberedEvery = 100 * time.Millisecond
	tryFor          = 5 * time.Second
	firstTryAgain   = 50 * time.Millisecond // doubles
	lastTryAgain    = 2 * time.Second
)

// publishRuns publishes the lines of runs. Those that come together while the last ones are on
// their way go into one message: a disk is synced once for all of them.
func (p *Publisher) publishRuns(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.moreRuns:
		}
		p.mu.Lock()
		runs := p.runs
		p.runs = nil
		p.mu.Unlock()
		lines := make([]Line, len(runs))
		for i := range runs {
			lines[i] = runs[i].line
		}
		for _, line := range JoinRuns(lines) {
			if !p.publish(ctx, p.o.Names.LogRun(), line) {
				return
			}
		}
		for i := range runs {
			close(runs[i].written)
		}
	}
}

// publishAsks publishes the lines of stored asks, as many as have come together.
func (p *Publisher) publishAsks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.moreAsks:
		}
		if !p.draining.Load() {
			select { // for those that come after it: what awaits them has its answer already
			case <-ctx.Done():
				return
			case <-time.After(askLinger):
			}
		}
		p.mu.Lock()
		answered := p.asks
		p.asks = nil
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
	}
}

// publishLines publishes the lines of asks; false means that ctx ended first.
func (p *Publisher) publishLines(ctx context.Context, asks []Ask) (written bool) {
	slices.SortStableFunc(asks, func(x, y Ask) int { return strings.Compare(x.Run, y.Run) }) // those alike side by side
	lines, err := EncodeAsks(asks)
	if err != nil {
		p.log.Error("ask not logged", "err", err)
	}
	for _, line := range lines {
		if !p.publish(ctx, p.o.Names.LogAsk(), line) {
			return false
		}
	}
	return true
}

// publishRemembered publishes the lines of answers from memory, until ctx ends and then once more.
func (p *Publisher) publishRemembered(ctx context.Context) {
	tick := time.NewTicker(rememberedEvery)
	defer tick.Stop()
	var room []Ask // of the batch before: to grow anew each time was a third of what a hot key allocates
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		p.mu.Lock()
		asks := p.remembered
		p.remembered = room[:0]
		p.mu.Unlock()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
		switch written := p.publishLines(last, asks); {
		case written:
		case ended:
			p.lost.Add(uint64(len(asks)))
		default:
			p.keep(asks...) // with the next ones, as long as there is room
		}
		cancel()
		clear(asks)
		if room = asks; len(asks) < cap(asks)/4 { // quieter than it was
			room = nil
		}
	}
}

// publish brings a line into the stream; false means that ctx ended first. While the stream is full
// or away it says so, once. One acknowledgement that was lost, as by a machine that stood still,
// says nothing of it.
func (p *Publisher) publish(ctx context.Context, subject string, line Line) bool {
	for tries, wait := 1, firstTryAgain; ; tries, wait = tries+1, min(2*wait, lastTryAgain) {
		_, err := p.o.To.PublishWithin(ctx, tryFor, &nats.Msg{Subject: subject, Data: line.Data, Header: nats.Header{jetstream.MsgIDHeader: {line.MsgID}}})
		if err == nil {
			if p.full.Swap(false) {
				p.log.Info("query log is written again")
			}
			return true
		}
		if (tries > 1 || publish.Full(err)) && !p.full.Swap(true) {
			p.log.Error("query log not written: no new gateway calls", "err", err, "hint", "is a recorder running, and does the database take its rows?")
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}
