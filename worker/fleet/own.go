// What a member has decided but not applied yet.

package fleet

import (
	"slices"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

// Own is what a member knows of its own batches that its fold has not applied yet. A decision
// counts for the member itself from the moment it is in a draft; others learn of it from the log.
type Own struct {
	ID journal.Member
	// Warm reports whether a failure no longer cools its key down, because its reason is gone: a
	// partner was resumed. Nil: no failure is.
	Warm func(journal.Key, memory.Answer) bool

	draft *Draft // being composed
	sent  []*Draft
	part  int // of the memory, where Carry continues
}

// Draft is a batch while it is composed.
type Draft struct {
	Head    journal.Head
	Entries []journal.Entry
	keys    []journal.Key
	asks    []*journal.Ask // the awaiting ones in it
}

// Draft begins the batch of a number. It replaces any other that was begun or sent with that
// number: that batch was empty, and its number was not used. The head names the position that the
// fold has now, even if the fold is applied further before the batch is sent. Others conclude from
// a head that every decision in this or a later batch was made with the knowledge of that position.
//
// The numbers are those of the log, see [journal.Draft.Number]: a batch without a decision, such as
// a beat or the own seal, also has one. Applied uses them to see which decisions have come back.
func (o *Own) Draft(s *State, number uint64) *Draft {
	o.sent = slices.DeleteFunc(o.sent, func(d *Draft) bool { return d.Head.Number >= number })
	head := journal.Head{Format: journal.Format, Layout: journal.Layout, Number: number, Read: s.applied}
	o.draft = &Draft{Head: head}
	return o.draft
}

// Add puts an entry into the draft that decides about keys. An ask or a told entry decides nothing.
func (d *Draft) Add(e journal.Entry, keys ...journal.Key) {
	d.Entries = append(d.Entries, e)
	d.keys = append(d.keys, keys...)
	if a, ok := e.(*journal.Ask); ok && a.Door == journal.Await {
		d.asks = append(d.asks, a)
	}
}

// Sent ends the draft: it is on its way as it is returned. If a caller does not know whether a
// draft without entries will be sent, because a beat may be due, it calls Sent.
func (o *Own) Sent() *Draft {
	d := o.draft
	o.sent, o.draft = append(o.sent, d), nil
	return d
}

// read is the position that the newest head says was read, of those that the fold has applied and
// those on their way.
func (o *Own) read(me *Member) (read uint64) {
	if me != nil {
		read = me.Read
	}
	for _, d := range o.sent {
		read = max(read, d.Head.Read)
	}
	return read
}

// underWay reports whether an own batch with entries is on its way to the fold. One without entries
// may never have been sent.
func (o *Own) underWay() bool {
	return slices.ContainsFunc(o.sent, func(d *Draft) bool { return len(d.Entries) > 0 })
}

// Applied notes that the fold has applied the own batch of a number.
func (o *Own) Applied(number uint64) {
	o.sent = slices.DeleteFunc(o.sent, func(d *Draft) bool { return d.Head.Number <= number })
}

// Touches reports whether an entry about the key is being composed or on its way to the fold. Until
// it arrives, the fold does not know what the member has decided, and the member would decide
// twice.
func (o *Own) Touches(k journal.Key) bool {
	if o.draft != nil && slices.Contains(o.draft.keys, k) {
		return true
	}
	return slices.ContainsFunc(o.sent, func(d *Draft) bool { return slices.Contains(d.keys, k) })
}
