// The askers of a simulated fleet.

package simtest

import (
	"fmt"
	"time"

	"protocolq/worker/journal"
)

// Ask is one ask of one asker.
type Ask struct {
	// Token is what the journal knows it by.
	Token string
	// Key and Question are what is asked.
	Key      journal.Key
	Question journal.Hash
	// Door is how it came in.
	Door journal.Door
	// Partner and Asker are empty, unless [Options.Asked] says who they are.
	Partner, Asker string

	name   string
	id     journal.Hash
	left   time.Duration
	maxAge time.Duration
	stored bool          // in the log
	since  time.Duration // when
	acked  bool          // at the door it came in by
	near   journal.Near
	copyOf *Ask // what its sender stored again; nil: it is the first
}

// Persons are those whom the asks of a key are about.
func Persons(k journal.Key) [2]journal.Hash { return [2]journal.Hash{{1, k[6]}} }

// arrive brings an ask, and comes again.
func (w *World) arrive() {
	if w.now > w.LastAsk {
		return
	}
	w.After(w.Between(20*time.Millisecond, 500*time.Millisecond), w.arrive)
	a := w.ask()
	w.asks[a.name], a.Token = a, a.name
	w.tokens[a.Token] = a
	again := a.Door == journal.Submit && w.longest() > 0
	if w.o.StoredAgain && again && w.Draw.IntN(3) == 0 {
		w.submit(a, a.name)
		w.storeAgain(a, a.name)
		return
	}
	w.deliver(a)
	if again && w.Draw.IntN(3) == 0 {
		w.After(w.Between(0, w.longest()), func() { w.hand(a) })
	}
}

// ask draws an ask.
func (w *World) ask() *Ask {
	n := w.Seen["asked"]
	w.Seen["asked"]++
	name, key := fmt.Sprintf("t%03d", n), w.Keys[w.Draw.IntN(len(w.Keys))]
	a := &Ask{name: name, Key: key, Door: journal.Await, maxAge: -1}
	a.Question = journal.Hash{a.Key[0], 1}
	if w.Draw.IntN(10) == 0 {
		a.Question[1] = 2
	}
	a.id = journal.Hash{1, byte(n), byte(n >> 8)}
	if n > 0 && w.Draw.IntN(4) == 0 { // one who asks again
		if o := w.asks[fmt.Sprintf("t%03d", w.Draw.IntN(n))]; o.Key == a.Key && o.Question == a.Question {
			a.id = o.id
		}
	}
	if w.Draw.IntN(w.submits) == 0 {
		a.Door = journal.Submit
	}
	if w.Draw.IntN(3) == 0 {
		a.left = w.Between(200*time.Millisecond, 5*time.Second)
		if w.o.ShortAsks && w.Draw.IntN(3) == 0 {
			a.left = w.Between(20*time.Millisecond, 200*time.Millisecond)
		}
	}
	if w.Draw.IntN(5) == 0 {
		w.Note("refresh", "%s", a.name)
		a.maxAge = 0
	}
	if w.o.Asked != nil {
		w.o.Asked(a)
	}
	return a
}

// piece is how long a token of what senders store again is the same.
const piece = 3 * time.Second

// submit gives an ask the token that it has where it is stored now under a message id.
func (w *World) submit(a *Ask, id string) {
	hash := func(n time.Duration) (h journal.Hash) {
		copy(h[:], fmt.Sprintf("%s.%d", id, n))
		return h
	}
	n := w.now / piece
	a.Token = journal.TokenOf(hash(n))
	a.near = journal.Near{Earlier: hash(n - 1), Later: hash(n + 1), Into: w.now % piece}
	w.tokens[a.Token] = a
	w.deliver(a)
}

// storeAgain is what a sender does who has no acknowledgement: what it stores within a piece of
// time is the same ask, and another after it.
func (w *World) storeAgain(first *Ask, id string) {
	again, at := *first, w.now
	w.After(w.Between(0, min(2*piece, w.longest())), func() {
		again.stored, again.since, again.acked = false, 0, false
		switch {
		case w.now/piece == at/piece:
			return // it has the same token, as if it were delivered again
		case w.now-at < piece:
			again.copyOf = first
			w.Note("stored again", "%s", id)
		default:
			again.name += "-anew"
			w.asks[again.name] = &again
			w.Note("stored anew", "%s", id)
		}
		w.submit(&again, id)
	})
}

// of is the ask of a token, whichever copy of it that is.
func (w *World) of(token string) *Ask {
	a := w.tokens[token]
	if a.copyOf != nil {
		return a.copyOf
	}
	return a
}

// longest is for how long a submitted ask is delivered again once it is in the log: Keep has to be
// longer than that and what a door may take with it.
func (w *World) longest() time.Duration { return max(0, w.Fleet.Keep/2-5*time.Second) }

// deliver brings a submitted ask until it is acknowledged, an awaiting one once.
func (w *World) deliver(a *Ask) {
	if o := w.of(a.Token); a.acked || o.stored && w.now-o.since > w.longest() {
		return
	}
	w.hand(a)
	if a.Door == journal.Submit {
		w.After(5*time.Second, func() { w.deliver(a) })
	}
}

// hand gives an ask to one of the doors.
func (w *World) hand(a *Ask) {
	var doors []*Process
	for _, p := range w.processes {
		if !p.dead && p.frozen <= w.now && p.cut <= w.now && !p.Draining {
			doors = append(doors, p)
		}
	}
	if len(doors) > 0 && w.away <= w.now {
		p := doors[w.Draw.IntN(min(len(doors), w.doors))]
		p.Run(func() { p.Member.inbox = append(p.Member.inbox, a) })
	}
}
