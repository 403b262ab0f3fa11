// How often a user may look up, and how often somebody may try to sign in.

package access

import (
	"strings"
	"sync"
	"time"
)

// Rates counts events by name in a sliding window of two halves: at most most in any span. It keeps
// so many names and, when there are more, is strict with new ones: a flood of names must not let
// anybody through.
type Rates struct {
	span time.Duration
	size int

	mu    sync.Mutex // guards names
	names map[string]*rate
}

type rate struct {
	begun    time.Time // of the window that now fills
	now, old int       // events in it, and in the one before
}

// NewRates counts over span, for size names at once.
func NewRates(span time.Duration, size int) *Rates {
	return &Rates{span: span, size: size, names: map[string]*rate{}}
}

// Take counts one more for name, or says how long to wait where there have been most.
func (r *Rates) Take(name string, most int, now time.Time) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.of(name, now)
	if n == nil {
		return r.span
	}
	if wait := n.wait(most, r.span, now); wait > 0 {
		return wait
	}
	n.now++
	return 0
}

// Left is how many more Take would allow now.
func (r *Rates) Left(name string, most int, now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.names[name]
	if n == nil {
		return most
	}
	n.roll(r.span, now)
	return max(most-int(n.used(r.span, now)+0.999), 0)
}

// Forget starts name anew, as after a sign-in that went well.
func (r *Rates) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.names, name)
}

func (r *Rates) of(name string, now time.Time) *rate {
	n := r.names[name]
	if n == nil {
		if len(r.names) >= r.size {
			r.sweep(now)
		}
		if len(r.names) >= r.size {
			return nil
		}
		n = &rate{begun: now}
		r.names[strings.Clone(name)] = n // it may be cut out of a form, which is not to be kept with it
	}
	n.roll(r.span, now)
	return n
}

func (r *Rates) sweep(now time.Time) {
	for name, n := range r.names {
		if now.Sub(n.begun) >= 2*r.span {
			delete(r.names, name)
		}
	}
}

func (n *rate) roll(span time.Duration, now time.Time) {
	switch passed := now.Sub(n.begun); {
	case passed >= 2*span:
		n.begun, n.now, n.old = now, 0, 0
	case passed >= span:
		n.begun, n.now, n.old = n.begun.Add(span), 0, n.now
	}
}

// used is how many events the last span has, those of the window before by their share of it.
func (n *rate) used(span time.Duration, now time.Time) float64 {
	share := 1 - float64(now.Sub(n.begun))/float64(span)
	return float64(n.now) + float64(n.old)*max(share, 0)
}

// wait is how long until there are fewer than most, in whole seconds.
func (n *rate) wait(most int, span time.Duration, now time.Time) time.Duration {
	over := n.used(span, now) + 1 - float64(most)
	if over <= 0 {
		return 0
	}
	wait := time.Duration(over / float64(max(n.old, 1)) * float64(span))
	if n.now >= most { // the window that fills is full by itself: it must become the old one
		wait = n.begun.Add(span).Sub(now) + time.Duration(float64(n.now+1-most)/float64(n.now)*float64(span))
	}
	return (wait + time.Second).Truncate(time.Second)
}
