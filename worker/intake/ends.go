// Ends: what follows from an acknowledgement, outside the goroutine that received it.

package intake

import (
	"context"
	"sync"
)

// ends runs functions in the order in which they were added. Each belongs to something pending,
// which bounds them.
type ends struct {
	wake chan struct{} // has room for one

	mu    sync.Mutex // guards queue
	queue []func()
}

func newEnds() *ends { return &ends{wake: make(chan struct{}, 1)} }

// add does not block.
func (e *ends) add(f func()) {
	e.mu.Lock()
	e.queue = append(e.queue, f)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run runs what is added until ctx ends.
func (e *ends) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		}
		e.mu.Lock()
		queue := e.queue
		e.queue = nil
		e.mu.Unlock()
		for _, f := range queue {
			f()
		}
	}
}
