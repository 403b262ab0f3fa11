// The dead letters for programs that do not show them on a terminal: the same dead letters, the
// same redrive.

package dead

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Letter is a dead letter as it may be shown: personal fields are masked.
type Letter = deadLetter

// Late says that the query's own deadline has passed.
func (l *deadLetter) Late(now time.Time) bool { return l.late(now) }

// Raw is the query in full, with the person: for users who may see it and have said why.
func (l *deadLetter) Raw() messages.Query { return l.query }

// ErrGone says that the dead letter no longer exists.
var ErrGone = errNoLetter

// Reasons are the possible reasons of a dead letter.
func Reasons() []string { return deadReasons() }

// Filter selects dead letters; its zero value selects all.
type Filter struct {
	Reason  string
	Partner string
	// Matches checks the person of a query, which no other field does; nil: all match.
	Matches func(*messages.Query) bool
}

// Box is the stream of dead letters.
type Box struct{ box deadBox }

// NewBox makes a Box on a connection, which the caller closes. api is the prefix of the JetStream
// API.
func NewBox(nc *nats.Conn, js jetstream.JetStream, names messages.Names, api string) *Box {
	return &Box{deadBox{nc: nc, js: js, names: names, api: api}}
}

// open finds the stream, again each time, because it may have been replaced.
func (b *Box) open(ctx context.Context) (*deadBox, error) {
	step, cancel := context.WithTimeout(ctx, deadStep)
	defer cancel()
	stream, err := b.box.js.Stream(step, b.box.names.Stream(messages.Dead))
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", b.box.names.Stream(messages.Dead), err)
	}
	box := b.box
	box.stream = stream
	return &box, nil
}

// Found are the dead letters of a filter, the newest first.
type Found struct {
	Letters []Letter
	// Partial is true if there are older dead letters that were not looked at.
	Partial bool
}

// Find reads the dead letters that f selects among the newest span sequences.
func (b *Box) Find(ctx context.Context, f Filter, span uint64) (Found, error) {
	box, err := b.open(ctx)
	if err != nil {
		return Found{}, err
	}
	state := box.stream.CachedInfo().State
	inner := deadFilter{partner: f.Partner}
	if f.Reason != "" {
		inner.reasons = []string{f.Reason}
	}
	var found Found
	if state.LastSeq > span && state.FirstSeq <= state.LastSeq-span {
		inner.after, found.Partial = state.LastSeq-span, true
	}
	err = box.walk(ctx, &inner, func(l deadLetter) bool {
		if f.Matches == nil || f.Matches(&l.query) {
			l.env, l.query = messages.Envelope{}, messages.Query{} // many letters would be much memory
			found.Letters = append(found.Letters, l)
		}
		return true
	})
	slices.Reverse(found.Letters)
	return found, err
}

// Get reads one dead letter; ErrGone if it is not there.
func (b *Box) Get(ctx context.Context, seq uint64) (Letter, error) {
	box, err := b.open(ctx)
	if err != nil {
		return Letter{}, err
	}
	return box.get(ctx, seq)
}

// Done is the result of an action.
type Done struct {
	Matched, Done, Gone int
	Skipped             int
	Why                 string // of the first that was skipped
}

// Redrive asks again for dead letters, one after the other, and deletes those that were asked. An
// error says why it ended early; Done is what was done until then.
func (b *Box) Redrive(ctx context.Context, seqs []uint64, dropDeadline bool) (Done, error) {
	box, err := b.open(ctx)
	if err != nil {
		return Done{Matched: len(seqs)}, err
	}
	r := redriving{dropDeadline: dropDeadline}
	for _, seq := range seqs {
		if err = r.one(ctx, box, seq); err != nil {
			break
		}
	}
	d := Done{Matched: len(seqs), Done: r.Redriven, Gone: r.Gone, Skipped: len(r.Skipped)}
	if len(r.Skipped) > 0 {
		d.Why = r.Skipped[0].Why
	}
	return d, err
}

// Discard deletes dead letters permanently, with the same kind of result.
func (b *Box) Discard(ctx context.Context, seqs []uint64) (Done, error) {
	d := Done{Matched: len(seqs)}
	box, err := b.open(ctx)
	for i := 0; err == nil && i < len(seqs); i++ {
		if err = box.remove(ctx, seqs[i]); err == nil {
			d.Done++
		}
	}
	return d, err
}
