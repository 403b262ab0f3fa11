// A budget of retries: an outage must not multiply the load that it meets.

package limit

import "sync"

// Budget lets a process try again only a tenth as often as it tries at all, and
// some times beyond. It is full at the start and never fuller: what was saved in good
// times must not be spent on an outage. Safe for concurrent use.
type Budget struct {
	mu     sync.Mutex // guards tokens
	tokens float64
	full   float64
}

// perCall is what each call puts into the budget; a retry takes 1.
const perCall = 0.1

// NewBudget makes a budget that allows for tokens retries at once.
func NewBudget(tokens int) *Budget {
	return &Budget{tokens: float64(tokens), full: float64(tokens)}
}

// Called puts a call's part into the budget. Say so when the call has ended: many
// that begin at once would fill it to the brim before the first of them fails.
func (b *Budget) Called() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+perCall, b.full)
}

// Retry takes a retry out of the budget; false means that there is none left.
func (b *Budget) Retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Left is how many retries are left.
func (b *Budget) Left() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens
}
