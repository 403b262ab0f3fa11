// What a member has decided and not applied yet.

package fleet

import (
	"slices"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Own is what a member knows of its own batches that its fold has not applied yet. What it has
// decided counts for it from the moment it is in a draft; others learn of it from the log.
type Own struct {
	ID journal.Member
	// Warm reports whether a failure keeps its key cool no longer, as its reason is gone: a partner
	// was resumed. Nil: none is.
	Warm func(journal.Key, memory.Answer) bool

	draft *Draft // being composed
	sent  []*Draft
	part  int // of the memory, where Carry goes on
}

// Draft is a batch while it is composed.
type Draft struct {
	Head    journal.Head
	Entries []journal.Entry
	keys    []journal.Key
	asks    []*journal.Ask // the awaiting ones in it
}

// Draft begins the batch of a number, in place of any other that was begun or sent with it: that
// one came out empty, and its number was not used. The head says that the fold was read as far as
// now, also if the fold is applied further before the batch is sent: what others conclude from a
// head is that every decision in this or a later batch was made in the knowledge of that position.
//
// The numbers are those of the log, see [journal.Draft.Number], so that a batch without a decision
// takes one, too: a beat, or the own seal. They say in Applied which decisions have come back.
func (o *Own) Draft(s *State, number uint64) *Draft {
	o.sent = slices.DeleteFunc(o.sent, func(d *Draft) bool { return d.Head.Number >= number })
	head := journal.Head{Format: journal.Format, Layout: journal.Layout, Number: number, Read: s.applied}
	o.draft = &Draft{Head: head}
	return o.draft
}

// Add puts an entry into the draft that decides about keys; an ask or a told decides about none.
func (d *Draft) Add(e journal.Entry, keys ...journal.Key) {
	d.Entries = append(d.Entries, e)
	d.keys = append(d.keys, keys...)
	if a, ok := e.(*journal.Ask); ok && a.Door == journal.Await {
		d.asks = append(d.asks, a)
	}
}

// Sent ends the draft: it is on its way as it is returned. Who cannot say whether a draft without
// entries will be sent, as a beat may be due, says that it is.
func (o *Own) Sent() *Draft {
	d := o.draft
	o.sent, o.draft = append(o.sent, d), nil
	return d
}

// read is what the newest head says was read, as far as the fold has applied it or it is on its
// way.
func (o *Own) read(me *Member) (read uint64) {
	if me != nil {
		read = me.Read
	}
	for _, d := range o.sent {
		read = max(read, d.Head.Read)
	}
	return read
}

// Applied notes that the fold has applied the own batch of a number.
func (o *Own) Applied(number uint64) {
	o.sent = slices.DeleteFunc(o.sent, func(d *Draft) bool { return d.Head.Number <= number })
}

// Touches reports whether an entry about the key is being composed or on its way to the fold: until
// it is there, the fold does not know what the member itself has decided, and to decide again would
// be to decide twice.
func (o *Own) Touches(k journal.Key) bool {
	if o.draft != nil && slices.Contains(o.draft.keys, k) {
		return true
	}
	return slices.ContainsFunc(o.sent, func(d *Draft) bool { return slices.Contains(d.keys, k) })
}
