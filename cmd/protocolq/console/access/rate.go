// How often a user may look up, and how often anybody may try to sign in.

package access

import (
	"strings"
	"sync"
	"time"
)

// Rates counts events by name in a sliding window of two halves: at most most in any span. It keeps
// a bounded number of names. Beyond that it is strict with new names, so that a flood of names lets
// nobody through.
type Rates struct {
	span time.Duration
	size int

	mu    sync.Mutex // guards names
	names map[string]*rate
}

type rate struct {
	begun    time.Time // start of the current window
	now, old int       // events in the current window, and in the one before
}

// NewRates counts events over span, for at most size names.
func NewRates(span time.Duration, size int) *Rates {
	return &Rates{span: span, size: size, names: map[string]*rate{}}
}

// Take counts one more event of name. If there have been too many, it returns how long to wait.
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

// Left is how many more events Take would allow now.
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

// Forget starts name anew, for example after a successful sign-in.
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
		r.names[strings.Clone(name)] = n // it may be cut out of a form, which must not stay in memory with it
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

// used is the number of events in the last span. Events of the window before count by their share
// of it.
func (n *rate) used(span time.Duration, now time.Time) float64 {
	share := 1 - float64(now.Sub(n.begun))/float64(span)
	return float64(n.now) + float64(n.old)*max(share, 0)
}

// wait is the time until there are fewer than most events, in whole seconds.
func (n *rate) wait(most int, span time.Duration, now time.Time) time.Duration {
	over := n.used(span, now) + 1 - float64(most)
	if over <= 0 {
		return 0
	}
	wait := time.Duration(over / float64(max(n.old, 1)) * float64(span))
	if n.now >= most { // the current window is full: it must first become the old one
		wait = n.begun.Add(span).Sub(now) + time.Duration(float64(n.now+1-most)/float64(n.now)*float64(span))
	}
	return (wait + time.Second).Truncate(time.Second)
}
