// Outbox: takes duties, and one goroutine publishes what they owe until each is done.

package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// Options are what an [Outbox] needs. The zero value of a setting is its default.
type Options struct {
	Names   messages.Names // needed
	Inboxes Inboxes        // needed: replies that no stream keeps
	Replies Stream         // needed: durable replies
	Streams Stream         // needed: events and dead letters
	Lines   Lines          // needed
	// Done gets the entries of duties that are done, a few together, so that they become told; needed.
	// Run calls it, one call after the other. It must not block or call the Outbox.
	Done func([]journal.Ref)

	// Run gets each run whose event and line are owed, before they are published; nil: not called.
	Run func(*Run, *messages.Query, *messages.Result)
	// Replied gets each reply as it is made, and its ask; nil: not called.
	Replied func(r *messages.Result, of *Ask, made time.Time)

	CloudEvents bool         // events also carry the CloudEvents headers
	Limit       int          // 50,000: duties at once
	Deaths      int          // 3: how many deaths make a key poison
	Logger      *slog.Logger // discarded when nil
}

// Outbox publishes what duties owe while Run runs. Its methods are safe for concurrent use.
type Outbox struct {
	o       Options
	log     *slog.Logger
	wake    chan struct{}
	emptied chan struct{} // signalled when nothing waits
	sinks   [kinds]*sink
	answers answers
	unread  alarm
	closing atomic.Bool

	waiting atomic.Int64  // duties that are not done
	lost    atomic.Uint64 // messages that were given up

	mu    sync.Mutex            // guards what follows; held for lines, never over I/O
	known map[journal.Ref]*task // not told yet, done or not
	added []*task
	again []journal.Ref // done before, and added once more
	ends  []end
}

// task is a known duty: under way, or done and not yet told.
type task struct {
	duty Duty
	made time.Time      // when it came up
	q    messages.Query // of its ask, or of the ask that started its run; set and read by Run
	left int            // messages that are not acknowledged; Run's alone
	done bool           // guarded by Outbox.mu
	told atomic.Bool    // another member told it, or the log says so: nothing more is sent
}

// end is how a parcel ended: nil says that it has arrived.
type end struct {
	p   *parcel
	err error
}

// New makes an Outbox. It starts nothing.
func New(o Options) (*Outbox, error) {
	if o.Names.Prefix() == "" || o.Inboxes == nil || o.Replies == nil || o.Streams == nil ||
		o.Lines == nil || o.Done == nil {
		return nil, errors.New("outbox: Names, Inboxes, Replies, Streams, Lines and Done are needed")
	}
	if o.Limit <= 0 {
		o.Limit = 50_000
	}
	if o.Deaths <= 0 {
		o.Deaths = 3
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Outbox{o: o, log: o.Logger, wake: make(chan struct{}, 1), emptied: make(chan struct{}, 1),
		known: map[journal.Ref]*task{}}
	for k := range kinds {
		b.sinks[k] = &sink{kind: k, most: mostOut[k], together: k == inboxReply, lanes: map[string]*lane{}}
	}
	return b, nil
}

// mostOut is how many messages may be on their way at once. A stream stores all that it has
// received before it acknowledges any, so more would make all wait. Inboxes use one round trip for
// all, and lines go together anyway.
var mostOut = [kinds]int{
	inboxReply: mostReplies, durableReply: 256, event: 256, runLine: 4096, askLine: 4096, deadLetter: 64,
}

// Add takes a duty, and reports false if there is no room: the duty stays in the journal, and is
// added again later. A known duty is not taken twice. For a duty that is done and not yet told,
// Done is called once more: the told entry may have been lost with its member.
func (b *Outbox) Add(d Duty) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.known[d.Entry]; t != nil {
		if t.done {
			b.again = append(b.again, d.Entry)
			b.signal()
		}
		return true
	}
	if len(b.known) >= b.o.Limit {
		return false
	}
	t := &task{duty: d, made: time.Now()}
	b.known[d.Entry] = t
	b.added = append(b.added, t)
	b.waiting.Add(1)
	b.signal()
	return true
}

// Told says that these entries are told in the log: their remaining duties are dropped, and all of
// them are forgotten.
func (b *Outbox) Told(entries ...journal.Ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ref := range entries {
		t := b.known[ref]
		if t == nil {
			continue
		}
		delete(b.known, ref)
		t.told.Store(true)
		if !t.done {
			t.done = true
			b.oneLess()
		}
	}
	b.signal()
}

// Disown says that the journal was replaced, so that entries are not what they were: a duty of the
// same entry is another duty. The remaining duties are published, but Done is not called for them.
func (b *Outbox) Disown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.known)
	b.again = nil
}

// Waiting is how many duties are not done. While it is at the limit, see Full, no call should
// begin.
func (b *Outbox) Waiting() int { return int(b.waiting.Load()) }

// Full reports whether there is no room for another duty.
func (b *Outbox) Full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.known) >= b.o.Limit
}

// Drain waits until no duty is left, or ctx ends. It no longer waits for inboxes without a
// subscriber.
func (b *Outbox) Drain(ctx context.Context) error {
	b.closing.Store(true)
	b.signal()
	for b.Waiting() > 0 {
		select {
		case <-b.emptied:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Stats are an Outbox's figures.
type Stats struct {
	Waiting int         `json:"waiting"` // duties
	Lost    uint64      `json:"lost"`    // messages that were refused for good in their shortest form
	Sinks   []SinkStats `json:"sinks"`
}

// SinkStats are the figures of one sink.
type SinkStats struct {
	Name    string `json:"name"`    // such as "event"
	Waiting int    `json:"waiting"` // messages
	Away    bool   `json:"away"`    // it accepts nothing at present
	Refused uint64 `json:"refused"` // messages that it refused for good
}

// Stats gives the figures as they are now.
func (b *Outbox) Stats() Stats {
	st := Stats{Waiting: b.Waiting(), Lost: b.lost.Load()}
	for _, s := range b.sinks {
		st.Sinks = append(st.Sinks, SinkStats{s.kind.String(), int(s.waiting.Load()), s.away.Load(), s.refused.Load()})
	}
	return st
}

// Run publishes until ctx ends. What is not done then stays in the journal. It is called once.
func (b *Outbox) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var senders sync.WaitGroup
	defer senders.Wait()
	defer cancel()
	inboxes := make(chan []*ready, 1) // one batch is on its way at most
	senders.Go(func() { b.sendInboxes(ctx, inboxes) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		b.take(now)
		for _, s := range b.sinks {
			if batch := s.take(now); len(batch) > 0 {
				b.send(s, batch, inboxes)
			}
		}
		if at := b.next(); !at.IsZero() {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-b.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// next is when a sink may be tried again; zero when none waits for a time.
func (b *Outbox) next() (at time.Time) {
	for _, s := range b.sinks {
		if n := s.next(); !n.IsZero() && (at.IsZero() || n.Before(at)) {
			at = n
		}
	}
	return at
}

func (b *Outbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// ended hands the end of a parcel to Run. It does not block.
func (b *Outbox) ended(p *parcel, err error) {
	b.mu.Lock()
	b.ends = append(b.ends, end{p, err})
	b.mu.Unlock()
	b.signal()
}

// take takes in new duties and the ends of parcels, and says which duties are done.
func (b *Outbox) take(now time.Time) {
	b.mu.Lock()
	added, ends, again := b.added, b.ends, b.again
	b.added, b.ends, b.again = nil, nil, nil
	b.mu.Unlock()
	var done []*task
	for _, t := range added {
		if b.open(t, now); t.left == 0 {
			done = append(done, t)
		}
	}
	for _, e := range ends {
		if b.end(e.p, e.err, now); e.p.task.left == 0 {
			done = append(done, e.p.task)
		}
	}
	if b.closing.Load() {
		done = append(done, b.giveUpSilent()...)
	}
	b.finish(done, again)
}

// giveUpSilent drops replies that wait to be sent again because there was no subscriber. It returns
// the duties that are done by that.
func (b *Outbox) giveUpSilent() (done []*task) {
	s := b.sinks[inboxReply]
	waiting := s.later
	s.later = nil
	for _, p := range waiting {
		if p.missed == 0 {
			s.retry(p, p.due)
			continue
		}
		if b.leave(s, p); p.task.left == 0 {
			done = append(done, p.task)
		}
	}
	return done
}

// open makes the parcels of a duty.
func (b *Outbox) open(t *task, now time.Time) {
	t.q = b.query(&t.duty, now)
	if t.duty.Run != nil && t.duty.Run.Answer.Verdict != journal.Released && b.o.Run != nil {
		r := b.resultOfRun(t)
		b.o.Run(t.duty.Run, &t.q, &r)
	}
	all := owed(&t.duty, &t.q, &b.o.Names, b.o.Deaths)
	parcels := make([]parcel, len(all))
	for i, k := range all {
		t.left++
		p := &parcels[i]
		p.task, p.kind = t, k
		if k == durableReply {
			p.lane = t.duty.Ask.Ask.Reply
		}
		b.sinks[k].add(p)
	}
}

// query decodes the query of a duty. The member that journalled it had decoded it, so a fault is
// our own.
func (b *Outbox) query(d *Duty, now time.Time) (q messages.Query) {
	var data []byte
	var partner string
	switch {
	case d.Ask != nil && d.Ask.Read != nil:
		q = *d.Ask.Read
	case d.Ask != nil:
		data, partner = d.Ask.Ask.Query, d.Ask.Ask.Partner
	case d.Run != nil && d.Run.Read != nil:
		q, partner = *d.Run.Read, d.Run.Answer.Partner
	case d.Run != nil:
		data, partner = d.Run.Query, d.Run.Answer.Partner
	}
	if data != nil {
		var err error
		if q, _, err = messages.DecodeQuery(data, ""); err != nil {
			b.misread(d.Entry, err, now)
		}
	}
	if q.Partner == "" {
		q.Partner = partner
	}
	return q
}

// misread logs that an entry is not understood. Its duty is done as far as possible.
func (b *Outbox) misread(entry journal.Ref, err error, now time.Time) {
	if n, due := b.unread.again(now); due {
		b.log.Error("entry not understood", "entry", entry.String(), "entries", n, "err", err)
	}
}

// finish reports duties as done, unless they were told meanwhile. refs are done already.
func (b *Outbox) finish(tasks []*task, refs []journal.Ref) {
	b.mu.Lock()
	defer b.mu.Unlock() // held for Done, too: it must not get entries of a log forgotten meanwhile
	ended := 0
	for _, t := range tasks {
		if !t.done {
			t.done = true
			ended++
			if b.known[t.duty.Entry] == t {
				refs = append(refs, t.duty.Entry)
			}
			t.duty, t.q = Duty{Entry: t.duty.Entry}, messages.Query{} // known until it is told, no longer held
		}
	}
	if len(refs) > 0 {
		b.o.Done(refs)
	}
	for range ended { // after Done: a member whose outbox is drained leaves, and tells nothing after that
		b.oneLess()
	}
}

func (b *Outbox) oneLess() {
	if b.waiting.Add(-1) == 0 {
		select {
		case b.emptied <- struct{}{}:
		default:
		}
	}
}
