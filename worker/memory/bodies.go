// The bodies of answers that were read recently, within a bound.

package memory

import (
	"container/list"
	"context"
	"sync"

	"protocolq/worker/journal"
)

// Bodies is a cache of what is at places of the log. It is safe for concurrent use.
type Bodies[T any] struct {
	most  int // bytes
	size  func(T) int
	reads sync.WaitGroup

	mu    sync.Mutex // guards what follows
	used  int
	held  map[journal.Ref]*list.Element // each holds a *body[T]
	order list.List                     // the most recently used first
	going map[journal.Ref]*fetch[T]
}

type body[T any] struct {
	at journal.Ref
	of T
}

// fetch is one read of the log that all callers who want the body wait for.
type fetch[T any] struct {
	done chan struct{} // closed once of and err are set
	of   T
	err  error
}

// overhead is about what an entry costs in addition to its body.
const overhead = 160

// NewBodies makes a cache of at most so many bytes. size gives the size of a body; a body larger
// than a quarter of the cache is not kept.
func NewBodies[T any](most int, size func(T) int) *Bodies[T] {
	return &Bodies[T]{most: most, size: size, held: map[journal.Ref]*list.Element{}, going: map[journal.Ref]*fetch[T]{}}
}

// Put keeps a body, which must not be changed any more.
func (c *Bodies[T]) Put(at journal.Ref, of T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(at, of)
}

func (c *Bodies[T]) put(at journal.Ref, of T) {
	if e, ok := c.held[at]; ok {
		c.order.MoveToFront(e)
		return
	}
	size := c.size(of) + overhead
	if size > c.most/4 {
		return
	}
	c.held[at] = c.order.PushFront(&body[T]{at, of})
	for c.used += size; c.used > c.most; {
		last := c.order.Remove(c.order.Back()).(*body[T])
		delete(c.held, last.at)
		c.used -= c.size(last.of) + overhead
	}
}

// Get is the body at a place, if it is held. It must not be changed.
func (c *Bodies[T]) Get(at journal.Ref) (of T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.held[at]
	if !ok {
		return of, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*body[T]).of, true
}

// Clear forgets all bodies, because the log was replaced or a person is to be forgotten. What is
// being read is not kept either.
func (c *Bodies[T]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.held)
	c.order.Init()
	c.used = 0
	c.going = map[journal.Ref]*fetch[T]{} // what is being read may be of the log before
}

// Load is the body at a place; read gets it from the log if it is not held. A caller that comes
// while another reads it waits for that read, or until its own context ends; the read then goes on
// without it.
func (c *Bodies[T]) Load(ctx context.Context, at journal.Ref, read func(context.Context, journal.Ref) (T, error)) (of T,
	err error) {
	if of, ok := c.Get(at); ok {
		return of, nil
	}
	c.mu.Lock()
	f, ok := c.going[at]
	if !ok {
		f = &fetch[T]{done: make(chan struct{})}
		c.going[at] = f
	}
	c.mu.Unlock()
	if !ok {
		c.reads.Go(func() { c.fetch(context.WithoutCancel(ctx), at, f, read) })
	}
	select {
	case <-f.done:
		return f.of, f.err
	case <-ctx.Done():
		return of, context.Cause(ctx)
	}
}

// Wait waits until no read is under way. No [Bodies.Load] may begin meanwhile.
func (c *Bodies[T]) Wait() { c.reads.Wait() }

// fetch reads a body for all callers that wait for it. The read has its own deadline: it does not
// end when the first caller leaves.
func (c *Bodies[T]) fetch(ctx context.Context, at journal.Ref, f *fetch[T],
	read func(context.Context, journal.Ref) (T, error)) {
	f.of, f.err = read(ctx, at)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.going[at] == f {
		if delete(c.going, at); f.err == nil {
			c.put(at, f.of)
		}
	}
	close(f.done)
}
