// The fields of every kind of entry, in their order in a batch. A new field goes to the end, where
// older readers skip it. It is read only if there is more, so that batches written without it stay
// readable.

package journal

import "errors"

var errNested = errors.New("carries what cannot be carried")

// newEntry is an empty entry of a kind; nil if the kind is not known.
func newEntry(k Kind) Entry {
	switch k {
	case KindAsk:
		return &Ask{}
	case KindBegin:
		return &Begin{}
	case KindAnswer:
		return &Answer{}
	case KindSettled:
		return &Settled{}
	case KindTold:
		return &Told{}
	case KindSeal:
		return &Seal{}
	case KindForget:
		return &Forget{}
	case KindCarried:
		return &Carried{}
	}
	return nil
}

// carriable reports whether an entry of this kind belongs to the tail that is carried.
func carriable(k Kind) bool { return KindAsk <= k && k <= KindTold }

func (a *Ask) fields(c *coder) {
	c.text(&a.Token)
	c.hash((*[16]byte)(&a.Key))
	c.hash((*[16]byte)(&a.Question))
	c.bytes(&a.Query)
	c.text(&a.Reply)
	c.byte(&a.Encoding)
	c.one((*uint8)(&a.Door), uint8(Submit))
	c.text(&a.Partner)
	c.text(&a.Asker)
	c.hash((*[16]byte)(&a.ID))
	c.persons(&a.Persons)
	c.flag(&a.Given)
	c.duration(&a.Left)
	c.optional(&a.MaxAge)
	c.text(&a.Trace)
	a.Near.fields(c)
}

// fields takes no bytes for a zero Near, because most asks have none.
func (n *Near) fields(c *coder) {
	if c.reads() && c.in.Left() == 0 || !c.reads() && *n == (Near{}) {
		return
	}
	c.hash((*[16]byte)(&n.Earlier))
	c.hash((*[16]byte)(&n.Later))
	c.duration(&n.Into)
}

func (b *Begin) fields(c *coder) {
	c.hash((*[16]byte)(&b.Key))
	c.text(&b.Run)
	c.count(&b.Attempt)
	c.count(&b.Deaths)
	b.Before.fields(c)
	c.text(&b.Partner)
	c.place(&b.Asked)
	c.text(&b.Follows)
}

func (o *Outcome) fields(c *coder) {
	c.text(&o.Code)
	c.bytes(&o.Detail)
}

func (a *Answer) fields(c *coder) {
	c.hash((*[16]byte)(&a.Key))
	c.hash((*[16]byte)(&a.Question))
	c.text(&a.Run)
	c.one((*uint8)(&a.Verdict), uint8(Released))
	c.bytes(&a.Result)
	c.text(&a.Code)
	list(c, &a.Attempts, MaxAttempts, func(o *Outcome) { o.fields(c) })
	c.duration(&a.Keep)
	c.text(&a.Partner)
	c.place(&a.Begun)
	list(c, &a.Final, MaxFinal, func(f *Final) {
		c.text(&f.Token)
		c.hash((*[16]byte)(&f.ID))
	})
	c.persons(&a.Persons)
}

func (c *coder) persons(v *[2]Hash) {
	c.hash((*[16]byte)(&v[0]))
	c.hash((*[16]byte)(&v[1]))
}

func (s *Settled) fields(c *coder) {
	c.places(&s.Asks)
	c.text(&s.Run)
	c.place(&s.Answer)
	c.text(&s.Why)
}

func (t *Told) fields(c *coder) {
	c.places(&t.Entries)
	list(c, &t.Tokens, MaxRefs, func(s *string) { c.text(s) })
}

func (s *Seal) fields(c *coder) {
	c.member(&s.By)
	c.text(&s.Why)
}

func (f *Forget) fields(c *coder) { c.hash((*[16]byte)(&f.Person)) }

func (h *Carried) fields(c *coder) {
	c.ref(&h.First, 0)
	c.must(h.First.Position > 0, errRange)
	c.member(&h.Writer)
	c.duration(&h.Age)
	kind := uint8(0)
	if !c.reads() && h.Entry != nil {
		kind = uint8(h.Entry.Kind())
	}
	c.byte(&kind)
	if !carriable(Kind(kind)) {
		c.fail(errNested)
		return
	}
	if c.reads() {
		h.Entry = newEntry(Kind(kind))
	}
	h.Entry.fields(c)
}

func (s *Skipped) fields(c *coder) {
	if !c.reads() {
		c.must(s.Of >= SkippableKind && len(s.Body) <= maxBytes, errRange)
		c.out = append(c.out, s.Body...)
	}
}
