// A budget of retries: an outage must not multiply the load that it meets.

package limit

import "sync"

// Budget lets a process try again only a tenth as often as it tries at all, and
// some times beyond. It fills up with calls, but not far: what was saved in good times
// must not be spent on an outage. Safe for concurrent use.
type Budget struct {
	mu     sync.Mutex // guards tokens
	tokens float64
	full   float64
}

// perCall is what each call puts into the budget; a retry takes 1.
const perCall = 0.1

// NewBudget makes a budget of tokens retries at the start. atOnce is how many calls
// may be under way: their part can be saved, since all of them may have begun
// before the first one fails.
func NewBudget(tokens, atOnce int) *Budget {
	return &Budget{tokens: float64(tokens), full: float64(tokens) + perCall*float64(atOnce)}
}

// Called puts a call's part into the budget.
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
