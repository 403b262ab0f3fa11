// Runs: the begins of each run, for its line and its event.

package member

import (
	"slices"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
)

// runs holds the begins of open runs, and of ended runs that are not told yet. It belongs to the
// loop's goroutine.
type runs struct {
	begins map[string][]outbox.Begun // by run, those of the runs that it follows first
	ended  map[journal.Ref]string    // the run of an answer that is not told yet
	keys   map[string]journal.Key    // of runs in begins
}

func newRuns() runs {
	return runs{map[string][]outbox.Begun{}, map[journal.Ref]string{}, map[string]journal.Key{}}
}

// apply takes in a batch that the fold has applied, and what that has changed.
func (r *runs) apply(b *journal.Batch, c *fleet.Changes, s *fleet.State) {
	for _, d := range c.Due { // nothing is told of an answer that does not count
		if d.Answer != nil && r.begins[d.Answer.Run] != nil {
			r.ended[d.Entry] = d.Answer.Run
		}
	}
	for _, e := range b.Entries {
		stored := b.Stored
		if c, ok := e.(*journal.Carried); ok {
			stored = stored.Add(-c.Age)
		}
		switch e := plain(e).(type) {
		case *journal.Begin:
			if open := s.Open(e.Key); open != nil && open.ID == e.Run {
				r.begin(outbox.Begun{Begin: e, Stored: stored})
			}
		case *journal.Answer:
			if e.Verdict == journal.Released {
				r.drop(e.Run)
			}
		case *journal.Told:
			for _, ref := range e.Entries {
				if run, ok := r.ended[ref]; ok {
					r.drop(run)
					delete(r.ended, ref)
				}
			}
		}
	}
}

func (r *runs) begin(b outbox.Begun) {
	e := b.Begin
	chain := r.begins[e.Run]
	if len(chain) == 0 && e.Follows != "" {
		chain = slices.Clone(r.begins[e.Follows])
		r.drop(e.Follows)
	}
	for _, known := range chain {
		if known.Begin.Run == e.Run && known.Begin.Attempt == e.Attempt {
			return // a copy
		}
	}
	r.begins[e.Run], r.keys[e.Run] = append(chain, b), e.Key
}

func (r *runs) drop(run string) {
	delete(r.begins, run)
	delete(r.keys, run)
}

// newest is the newest begin of a run, or nil.
func (r *runs) newest(run string) *journal.Begin {
	if all := r.begins[run]; len(all) > 0 {
		return all[len(all)-1].Begin
	}
	return nil
}

// sweep drops runs that are neither open nor to be told: their begin turned out not to count.
func (r *runs) sweep(s *fleet.State) {
	owed := make(map[string]bool, len(r.ended))
	for _, run := range r.ended {
		owed[run] = true
	}
	for run, k := range r.keys {
		if open := s.Open(k); !owed[run] && (open == nil || open.ID != run) {
			r.drop(run)
		}
	}
}
