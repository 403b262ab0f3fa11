// The query log's lines: one for each run before it is told, one for each ask before it is acknowledged.

package worker

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"protocolq/messages"
	"protocolq/worker/dedupe"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// book publishes the lines of the query log into the stream LOG. A nil book
// writes nothing: the log is off.
type book struct {
	w      *Worker
	hasher *querylog.Hasher
	to     dedupe.Publisher
	full   atomic.Bool // the stream refuses lines: no new call is made until it takes them again

	more chan struct{} // signalled when runs has more

	mu         sync.Mutex // guards what follows
	remembered []querylog.Ask
	runs       []runLine       // to be written by writeRuns
	masked     map[named]masks // of those who were asked about lately: a hot key is masked once
	lost       atomic.Uint64   // lines of answers from memory that were dropped
}

// Answers from memory are written in batches of so many, or as old.
const (
	bookEvery  = 100 * time.Millisecond
	mostWaited = 10_000 // lines of answers from memory that wait at once
)

func newBook(w *Worker) *book {
	if w.o.LogHasher == nil {
		return nil
	}
	return &book{w: w, hasher: w.o.LogHasher, to: w.to, masked: map[named]masks{}, more: make(chan struct{}, 1)}
}

// named is whom a query is about, raw; it stays in this process.
type named struct{ key, partner, email, account string }

// masks are the same as a line may hold them.
type masks struct{ key, email, account querylog.Masked }

const mostMasked = 8192

// mask gives what a line says of whom q is about.
func (b *book) mask(q *messages.Query) masks {
	n := named{q.Key, q.Partner, q.UserEmail, q.AccountNo}
	b.mu.Lock()
	m, known := b.masked[n]
	b.mu.Unlock()
	if known {
		return m
	}
	m = masks{b.hasher.Key(q.KeyToken()), b.hasher.Email(q.UserEmail), b.hasher.Account(q.AccountNo)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.masked) >= mostMasked {
		clear(b.masked)
	}
	b.masked[n] = m
	return m
}

// run writes the line of a run whose answer is stored. It tries until ctx ends:
// nothing is told that is not written down.
func (b *book) run(ctx context.Context, q *messages.Query, rec *dedupe.Record, r *messages.Result) {
	if b == nil {
		return
	}
	line, err := b.runLine(q, rec, r).Encode()
	if err != nil {
		b.w.log.Error("run not logged", "run", rec.Run, "err", err)
		return
	}
	written := make(chan struct{})
	b.mu.Lock()
	b.runs = append(b.runs, runLine{line, written})
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
	select {
	case <-written:
	case <-ctx.Done():
	}
}

// runLine is a run's line, and who waits for it to be in the stream.
type runLine struct {
	line    querylog.Line
	written chan struct{}
}

// writeRuns writes the lines of runs until ctx ends. Those that come together while the last ones
// are on their way go into one message: a disk is synced once for all of them.
func (b *book) writeRuns(ctx context.Context) {
	if b == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.more:
		}
		b.mu.Lock()
		runs := b.runs
		b.runs = nil
		b.mu.Unlock()
		lines := make([]querylog.Line, len(runs))
		for i := range runs {
			lines[i] = runs[i].line
		}
		for _, line := range querylog.JoinRuns(lines) {
			if !b.publish(ctx, b.w.o.Names.LogRun(), line) {
				return
			}
		}
		for i := range runs {
			close(runs[i].written)
		}
	}
}

func (b *book) runLine(q *messages.Query, rec *dedupe.Record, r *messages.Result) querylog.Run {
	who := b.mask(q)
	run := querylog.Run{ID: rec.Run, At: time.UnixMilli(rec.BegunMs), AnsweredAt: time.UnixMilli(r.ExpiresAtMs - rec.KeepMs),
		Key: who.key, Partner: q.Partner, Email: who.email, Account: who.account,
		Outcome: string(r.Outcome), Code: r.Code, Debit: r.ChargeAgent, Refund: r.RefundCharge, Verified: r.Verified,
		Worker: rec.Owner, Deaths: rec.Deaths}
	if rec.Once { // kept for longer than it is an answer
		run.AnsweredAt = b.w.clock.Now()
	}
	attempts, err := attemptsOf(rec)
	if err != nil {
		b.w.log.Error("attempts not understood", "run", rec.Run, "err", err)
	}
	if r.Code == messages.Crashed { // given up: the holder's last call was under way
		attempts = append(attempts, Attempt{AtUs: rec.BegunMs * 1000, Cut: true})
	}
	for i, a := range attempts[max(0, len(attempts)-querylog.MaxAttempts):] {
		if i == 0 {
			run.At = time.UnixMicro(a.AtUs)
		}
		run.Attempts = append(run.Attempts, a.line())
	}
	if n := len(run.Attempts); n > 0 {
		run.Class = run.Attempts[n-1].Class
	}
	return run
}

// asks writes the lines of asks that were told their answer, before they are
// acknowledged.
func (b *book) asks(ctx context.Context, asks []querylog.Ask) (written bool) {
	if b == nil || len(asks) == 0 {
		return true
	}
	slices.SortStableFunc(asks, func(x, y querylog.Ask) int { return strings.Compare(x.Run, y.Run) }) // those alike side by side
	lines, err := querylog.EncodeAsks(asks)
	if err != nil {
		b.w.log.Error("ask not logged", "err", err)
	}
	for _, line := range lines {
		if !b.publish(ctx, b.w.o.Names.LogAsk(), line) {
			return false
		}
	}
	return true
}

// publish brings a line into the stream; false means that ctx ended first. While
// the stream is full or away it says so, once, and no new call is made. One acknowledgement that
// was lost, as by a machine that stood still, says nothing of it.
func (b *book) publish(ctx context.Context, subject string, line querylog.Line) bool {
	for tries, wait := 1, 50*time.Millisecond; ; tries, wait = tries+1, min(2*wait, 2*time.Second) {
		_, err := b.to.PublishWithin(ctx, publishTimeout, &nats.Msg{Subject: subject, Data: line.Data, Header: nats.Header{jetstream.MsgIDHeader: {line.MsgID}}})
		if err == nil {
			if b.full.Swap(false) {
				b.w.log.Info("query log is written again")
			}
			return true
		}
		if (tries > 1 || publish.Full(err)) && !b.full.Swap(true) {
			b.w.log.Error("query log not written: no new gateway calls", "err", err, "hint", "is a recorder running, and does the database take its rows?")
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// answered keeps the line of an answer from memory until the next batch. When
// batches do not get away it drops the line and counts it.
func (b *book) answered(a querylog.Ask) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.remembered) >= mostWaited {
		b.lost.Add(1)
		return
	}
	b.remembered = append(b.remembered, a)
}

// keep writes the lines of answers from memory, until ctx ends and then once more.
func (b *book) keep(ctx context.Context) {
	if b == nil {
		return
	}
	tick := time.NewTicker(bookEvery)
	defer tick.Stop()
	var room []querylog.Ask // of the batch before: to grow anew each time was a third of what a hot key allocates
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		b.mu.Lock()
		asks := b.remembered
		b.remembered = room[:0]
		b.mu.Unlock()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
		switch written := b.asks(last, asks); {
		case written:
		case ended:
			b.lost.Add(uint64(len(asks)))
		default:
			for _, a := range asks { // with the next ones, as long as there is room
				b.answered(a)
			}
		}
		cancel()
		clear(asks)
		if room = asks; len(asks) < cap(asks)/4 { // quieter than it was
			room = nil
		}
	}
}

// refused keeps the line of a message that was not right. Who it was about is not
// known, or not to be trusted.
func (b *book) refused(in *inbound, e *messages.Error, r *messages.Result) {
	if b == nil {
		return
	}
	b.answered(querylog.Ask{Token: firstOf(in.token, nuid.Next()), At: b.w.clock.Now(), AnsweredAt: b.w.clock.Now(), Request: b.hasher.Request(r.ID),
		Door: in.door, Subject: in.subject, Reply: in.natsReply, Outcome: string(r.Outcome), Code: e.Code, Trace: in.trace()})
}

// askLine is the line of one ask and what it was told.
func (b *book) askLine(q *messages.Query, r *messages.Result) querylog.Ask {
	if b == nil {
		return querylog.Ask{}
	}
	who := b.mask(q)
	if q.Key == "" { // e-mail and account find it
		who.key = querylog.Masked{}
	}
	return querylog.Ask{AnsweredAt: time.UnixMilli(r.AnsweredAtMs), Request: b.hasher.Request(r.ID), Run: r.Run, Key: who.key,
		Partner: q.Partner, Email: who.email, Account: who.account, Source: string(r.Source),
		Outcome: string(r.Outcome), Code: r.Code}
}

// stored completes the line of an ask that came out of a stream.
func (b *book) stored(j *job) querylog.Ask {
	line := b.askLine(&j.a.q, &j.r)
	line.Token, line.At, line.Door, line.Subject, line.Reply, line.Trace = j.token, j.a.stored, j.a.door, j.a.subject, j.to, j.trace
	return line
}

// line is an attempt in the log's words.
func (a Attempt) line() querylog.Attempt {
	us := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return querylog.Attempt{At: time.UnixMicro(a.AtUs), DNS: us(a.DNS), Connect: us(a.Connect), TLS: us(a.TLS), FirstByte: us(a.FirstByte),
		Body: us(a.Body), Total: us(a.Total), Code: a.Code, Class: a.Class, HTTPStatus: a.HTTPStatus, Bytes: a.Bytes, Reused: a.Reused, Cut: a.Cut}
}
