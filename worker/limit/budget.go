// A budget of retries: retries must not multiply the load during an outage.

package limit

import "sync"

// Budget limits the retries of a process to a tenth of its calls, plus some. It is full at the
// start and never exceeds that: calls in good times must not save up retries for an outage. Safe
// for concurrent use.
type Budget struct {
	mu     sync.Mutex // guards tokens
	tokens float64
	full   float64
}

// perCall is what each call adds to the budget; a retry takes 1.
const perCall = 0.1

// NewBudget makes a budget that allows tokens retries at once.
func NewBudget(tokens int) *Budget {
	return &Budget{tokens: float64(tokens), full: float64(tokens)}
}

// Called adds a call's part to the budget. Call it when the call has ended: otherwise many calls
// that begin at once would fill the budget before the first of them fails.
func (b *Budget) Called() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+perCall, b.full)
}

// Retry takes a retry from the budget; false means that none is left.
func (b *Budget) Retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Left is the number of retries that are left.
func (b *Budget) Left() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens
}
