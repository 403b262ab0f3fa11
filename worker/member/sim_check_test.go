// What the simulation looks at: what is published and called meanwhile, and what has to hold in the
// end.

package member_test

import (
	"context"
	"slices"
	"testing/synctest"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
)

// stored notes a message of the log. The log's lock is held.
func (s *sim) stored(m journal.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, m)
	b, err := journal.Decode(m)
	if err != nil {
		s.t.Errorf("batch %d: %v", m.Position, err)
		return
	}
	if s.spoil && len(b.Entries) > 0 {
		s.trace("spoiled: %v %d", m.Member, m.Position)
		s.spoil, s.spoiled[m.Member] = false, true
		s.seen["corrupt"]++
		m.Data[len(m.Data)/2] ^= 1 // the log's own bytes
	}
	if s.spoiled[m.Member] {
		for _, e := range b.Entries {
			switch e := e.(type) {
			case *journal.Ask:
				s.void[e.Token] = true
			case *journal.Answer: // its writer had it acknowledged, and may tell it before it reads it
				s.void[e.Run], s.answers[e.Run] = true, true
			}
		}
		return
	}
	for _, e := range b.Entries {
		if a, ok := e.(*journal.Answer); ok {
			s.answers[a.Run] = true
		}
	}
}

func (s *sim) setHistory(all []journal.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = slices.Clone(all)
}

// Add implements [member.Duties].
func (x *simMember) Add(d outbox.Duty) bool {
	s := x.s
	s.mu.Lock()
	done, known := x.known[d.Entry]
	switch {
	case known && !done:
		s.mu.Unlock()
		return true
	case known:
		s.mu.Unlock()
		x.finish(d.Entry)
		return true
	case x.refuse || s.drawn.IntN(20) == 0:
		s.seen["refused duty"]++
		s.mu.Unlock()
		return false
	}
	x.known[d.Entry] = false
	s.given(x, d)
	if x.away {
		s.mu.Unlock()
		return true
	}
	after := time.Duration(s.drawn.IntN(50)) * time.Millisecond
	s.mu.Unlock()
	time.AfterFunc(after, func() {
		s.mu.Lock()
		done, known := x.known[d.Entry]
		if x.away || done || !known {
			s.mu.Unlock()
			return
		}
		x.known[d.Entry] = true
		s.mu.Unlock()
		x.finish(d.Entry)
	})
	return true
}

// finish says that duties are done.
func (x *simMember) finish(entries ...journal.Ref) { x.Done(entries) }

// given notes what is published. The caller holds mu.
func (s *sim) given(x *simMember, d outbox.Duty) {
	switch {
	case d.Ask != nil:
		what := d.Ask.Why
		if a := d.Ask.Answer; a != nil {
			what = a.Run
			if !s.answers[a.Run] {
				s.t.Errorf("%s is told of run %s, of which the log has no answer", d.Ask.Ask.Token, a.Run)
			}
		}
		s.seen["replied"]++
		a := s.asks[d.Ask.Ask.Token]
		for _, r := range a.replies {
			if r.by == x.name && !s.rewound {
				s.t.Errorf("%s is told twice by %s: %v", a.token, x.name, a.replies)
			}
			if r.what != what && !s.rewound && !s.void[r.what] {
				s.t.Errorf("%s is told %s, and was told %v", a.token, what, a.replies)
			}
		}
		a.replies = append(a.replies, simReply{x.name, what})
	case d.Corrupt != nil:
		s.seen["corrupt given"]++
	case d.Run != nil:
		s.runs[d.Run.Answer.Run]++
	}
}

// Told implements [member.Duties].
func (x *simMember) Told(entries ...journal.Ref) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	for _, e := range entries {
		delete(x.known, e)
	}
}

// Disown implements [member.Duties].
func (x *simMember) Disown() {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	clear(x.known)
}

// call is the gateway.
func (x *simMember) call(ctx context.Context, a *journal.Ask, attempt int, fence func() error) flight.Outcome {
	if err := fence(); err != nil {
		return flight.Outcome{Class: flight.Unsent}
	}
	s := x.s
	s.mu.Lock()
	c := &simCall{by: x.name, key: a.Query[0], from: s.now(), attempt: attempt}
	for _, o := range s.calls {
		if o.key == c.key && o.to == 0 && !s.rewound {
			s.t.Errorf("%s calls for key %d while %s does since %v", c.by, c.key, o.by, o.from)
		}
	}
	s.calls = append(s.calls, c)
	s.seen["called"]++
	took := time.Duration(s.drawn.IntN(300)) * time.Millisecond
	if s.drawn.IntN(8) == 0 {
		took = time.Duration(s.drawn.IntN(10_000)) * time.Millisecond
	}
	what := flight.Outcome{Class: flight.Answered, Keep: time.Duration(1+s.drawn.IntN(20)) * time.Second, Result: []byte("yes")}
	switch s.drawn.IntN(8) {
	case 0:
		what = flight.Outcome{Class: flight.Final, Code: "F", Result: []byte("F")}
	case 1, 2:
		what = flight.Outcome{Class: flight.Temporary, Code: "T", Result: []byte("T")}
	}
	if what.Class != flight.Answered {
		s.seen["failed"]++
	}
	if attempt > simSettings.Attempts {
		s.t.Errorf("attempt %d for key %d", attempt, c.key)
	}
	s.mu.Unlock()
	t := time.NewTimer(took)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		what = flight.Outcome{Class: flight.Temporary, Code: "TIMEOUT", Result: []byte("T")}
	}
	s.mu.Lock()
	c.to = s.now()
	s.mu.Unlock()
	return what
}

// rest looks at members when everything has come to rest.
func (s *sim) rest() {
	synctest.Wait()
	count := func() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.history) }
	before := count()
	time.Sleep(time.Minute)
	if n := count() - before; n > 0 {
		s.t.Errorf("%d batches in a minute at rest", n)
	}
	for _, x := range s.living() {
		if held := x.Held(); held != "" {
			s.t.Errorf("%s holds at rest: %s", x.name, held)
		}
		s.mu.Lock()
		if len(x.known) > 0 {
			s.t.Errorf("outbox of %s knows %v", x.name, x.known)
		}
		s.mu.Unlock()
	}
}

// fold folds messages.
func (s *sim) fold(all []journal.Message, each func(*fleet.State, *fleet.Changes)) *fleet.State {
	first := uint64(1)
	if len(all) > 0 {
		first = all[0].Position
	}
	st := fleet.New(simSettings, first)
	for _, m := range all {
		b, _ := journal.Decode(m)
		c, err := st.Apply(b, fleet.Heard{At: m.Stored.Sub(s.begun)})
		if err != nil {
			s.t.Fatal(err)
		}
		if each != nil {
			each(st, c)
		}
	}
	return st
}

// check compares what was published with what the whole log says.
func (s *sim) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	settled, runs := map[string]string{}, map[string]bool{}
	st := s.fold(s.history, func(_ *fleet.State, c *fleet.Changes) {
		for _, d := range c.Due {
			if d.Ask == nil {
				runs[d.Answer.Run] = true
				continue
			}
			settled[d.Ask.Token] = d.Ask.Settled.Why
			if run := d.Ask.Settled.Run; run != "" {
				settled[d.Ask.Token] = run
			}
		}
	})
	for k := range st.Keys {
		s.t.Errorf("key %d is not at rest: %d wait, open %v", k[0], len(st.Waiting(k)), st.Open(k))
	}
	if len(st.Live()) > 0 {
		s.t.Errorf("live in the end: %v", st.Live()[0].ID)
	}
	for run := range runs {
		if s.runs[run] == 0 {
			s.t.Errorf("the end of run %s was never published", run)
		}
	}
	for _, a := range s.asks {
		switch what, there := settled[a.token]; {
		case there && len(a.replies) == 0:
			s.t.Errorf("%s was never told %s", a.token, what)
		case a.accepted && !there && !s.rewound && !(s.void[a.token] && a.by.gone) && len(a.replies) == 0:
			s.t.Errorf("%s was accepted at %v, and nothing settles it", a.token, a.at)
		case there && !s.rewound && len(a.replies) > 0 && a.replies[0].what != what && !s.void[a.replies[0].what]:
			s.t.Errorf("%s was told %v, the log says %s", a.token, a.replies, what)
			s.tell(a.token)
		}
	}
	left := s.log.Messages()
	if len(left) > 0 && left[0].Position > s.history[0].Position {
		s.seen["purged"]++
	}
	if d := fleet.Diff(st, s.fold(left, nil), s.now()); d != "" {
		s.t.Errorf("the fold of what is left is another: %s", d)
	}
}

// tell prints what the log says of a token.
func (s *sim) tell(token string) {
	for _, m := range s.history {
		b, err := journal.Decode(m)
		if err != nil {
			continue
		}
		for i, e := range b.Entries {
			if a, ok := e.(*journal.Ask); ok && a.Token == token {
				s.t.Logf("%v %v by %s: ask %s door %d", m.Stored.Sub(s.begun), b.Ref(i), b.Member, token, a.Door)
			}
		}
	}
}
