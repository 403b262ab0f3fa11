// Fairness: which of the keys that could begin comes next.

package flight

import "slices"

// queue holds the keys whose call could begin, if there were a slot and their partner allowed it.
// Slots go to the awaiting door before the submitted one. Only when share-1 have passed the
// submitted door by, the next goes there first; and likewise the next of a partner, when share-1 of
// its own have. Within a door they go to one partner after the other, within a partner
// to one asker after the other, and within an asker in order of arrival. As each call takes one
// slot, this is deficit round robin with a quantum of one.
type queue struct {
	share  int // one of so many slots goes to the submitted door
	passed int // slots that went to the awaiting door since, while the submitted one waited
	doors  [2]round
}

// The doors as the queue counts them.
const (
	awaiting = iota
	submitted
)

// round is what waits at one door, by partner.
type round struct {
	shelves []*shelf // those that are not empty, the next in turn first
	by      map[string]*shelf
}

// shelf is what waits for one partner at one door, by asker.
type shelf struct {
	door    int
	partner string
	passed  int // of a submitted one: slots of the partner that went to awaiting ones since
	flights int
	lanes   []*lane // those that are not empty, the next in turn first
	by      map[string]*lane
}

// lane is what waits of one asker, in order of arrival.
type lane struct {
	shelf         *shelf
	asker         string
	first, newest *flight
}

// put adds a flight after its asker's others. One that waits in this lane already keeps its place.
func (q *queue) put(f *flight, door int, w who) {
	if l := f.lane; l != nil {
		if l.shelf.door == door && l.asker == w.asker && l.shelf.partner == w.partner {
			return
		}
		q.remove(f)
	}
	r := &q.doors[door]
	s := r.by[w.partner]
	if s == nil {
		s = &shelf{door: door, partner: w.partner, by: map[string]*lane{}}
		if r.by == nil {
			r.by = map[string]*shelf{}
		}
		r.by[w.partner] = s
		r.shelves = append(r.shelves, s)
	}
	l := s.by[w.asker]
	if l == nil {
		l = &lane{shelf: s, asker: w.asker}
		s.by[w.asker] = l
		s.lanes = append(s.lanes, l)
	}
	s.flights++
	f.lane, f.before = l, l.newest
	if l.newest != nil {
		l.newest.after = f
	} else {
		l.first = f
	}
	l.newest = f
}

// remove takes a flight out, wherever it waits.
func (q *queue) remove(f *flight) {
	l := f.lane
	if l == nil {
		return
	}
	if f.before != nil {
		f.before.after = f.after
	} else {
		l.first = f.after
	}
	if f.after != nil {
		f.after.before = f.before
	} else {
		l.newest = f.before
	}
	f.lane, f.before, f.after = nil, nil, nil
	l.shelf.flights--
	if l.first != nil {
		return
	}
	s, r := l.shelf, &q.doors[l.shelf.door]
	delete(s.by, l.asker)
	s.lanes = slices.DeleteFunc(s.lanes, func(o *lane) bool { return o == l })
	if len(s.lanes) == 0 {
		delete(r.by, s.partner)
		r.shelves = slices.DeleteFunc(r.shelves, func(o *shelf) bool { return o == s })
	}
}

// next takes out the flight whose turn it is among the partners that are ready for a door, or gives
// nil. Each partner is tried at most once at a door.
func (q *queue) next(ready func(partner string, door int) bool) *flight {
	s := q.turn(ready)
	if s == nil {
		return nil
	}
	if behind := q.doors[submitted].by[s.partner]; q.share > 0 && s.door == awaiting && behind != nil {
		if behind.passed++; behind.passed >= q.share {
			s = behind // the turn is its partner's
		}
	}
	q.passed++
	if s.door == submitted || len(q.doors[submitted].shelves) == 0 {
		q.passed, s.passed = 0, 0
	}
	r := &q.doors[s.door]
	i := slices.Index(r.shelves, s)
	r.shelves = append(slices.Delete(r.shelves, i, i+1), s)
	l := s.lanes[0]
	s.lanes = append(s.lanes[1:], l)
	f := l.first
	q.remove(f)
	return f
}

// turn is the partner, at a door, whose turn it is. Those that were not ready keep theirs.
func (q *queue) turn(ready func(partner string, door int) bool) *shelf {
	order := [2]int{awaiting, submitted}
	if q.share > 0 && q.passed >= q.share-1 {
		order = [2]int{submitted, awaiting}
	}
	for _, door := range order {
		for _, s := range q.doors[door].shelves {
			if ready(s.partner, door) {
				return s
			}
		}
	}
	return nil
}

// partners says how many flights wait for each partner.
func (q *queue) partners() map[string]int {
	waiting := map[string]int{}
	for door := range q.doors {
		for _, s := range q.doors[door].shelves {
			waiting[s.partner] += s.flights
		}
	}
	return waiting
}

// empty reports whether nobody waits.
func (q *queue) empty() bool {
	return len(q.doors[awaiting].shelves)+len(q.doors[submitted].shelves) == 0
}

// await are the flights of a partner with askers that await a reply.
func (q *queue) await(partner string) (flights []*flight) {
	if s := q.doors[awaiting].by[partner]; s != nil {
		for _, l := range s.lanes {
			for f := l.first; f != nil; f = f.after {
				flights = append(flights, f)
			}
		}
	}
	return flights
}

// waits reports whether a flight of a partner waits at a door.
func (q *queue) waits(door int, partner string) bool { return q.doors[door].by[partner] != nil }
