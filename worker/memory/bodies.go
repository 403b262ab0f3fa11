// The bodies of answers that were read lately, as many bytes as are allowed.

package memory

import (
	"container/list"
	"context"
	"sync"

	"protocolq/worker/journal"
)

// Bodies is a cache of answers' texts by their place in the log. It is safe for concurrent use.
type Bodies struct {
	most int // bytes

	mu    sync.Mutex // guards what follows
	size  int
	held  map[journal.Ref]*list.Element // each holds a *body
	order list.List                     // the most recently used first
	going map[journal.Ref]*fetch
}

type body struct {
	at   journal.Ref
	text []byte
}

// fetch is one reading of the log that all who want the body wait for.
type fetch struct {
	done chan struct{} // closed once text and err are set
	text []byte
	err  error
}

// Read reads the body at a place from the log.
type Read func(context.Context, journal.Ref) ([]byte, error)

// overhead is about what an entry costs beside its text.
const overhead = 160

// NewBodies makes a cache of so many bytes; one larger than a quarter of them is not kept.
func NewBodies(most int) *Bodies {
	return &Bodies{most: most, held: map[journal.Ref]*list.Element{}, going: map[journal.Ref]*fetch{}}
}

// Put keeps a body, which nobody may change any more.
func (c *Bodies) Put(at journal.Ref, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(at, text)
}

func (c *Bodies) put(at journal.Ref, text []byte) {
	if e, ok := c.held[at]; ok {
		c.order.MoveToFront(e)
		return
	}
	if len(text)+overhead > c.most/4 {
		return
	}
	c.held[at] = c.order.PushFront(&body{at, text})
	for c.size += len(text) + overhead; c.size > c.most; {
		last := c.order.Remove(c.order.Back()).(*body)
		delete(c.held, last.at)
		c.size -= len(last.text) + overhead
	}
}

// Get is the body at a place, if it is held. Nobody may change it.
func (c *Bodies) Get(at journal.Ref) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.held[at]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*body).text, true
}

// Load is the body at a place; read gets it from the log where it is not held. Who asks while
// another reads it waits for that reading, or until its own context ends; the reading goes on
// without it.
func (c *Bodies) Load(ctx context.Context, at journal.Ref, read Read) ([]byte, error) {
	if text, ok := c.Get(at); ok {
		return text, nil
	}
	c.mu.Lock()
	f, ok := c.going[at]
	if !ok {
		f = &fetch{done: make(chan struct{})}
		c.going[at] = f
	}
	c.mu.Unlock()
	if !ok {
		go c.fetch(context.WithoutCancel(ctx), at, f, read)
	}
	select {
	case <-f.done:
		return f.text, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fetch reads a body for all who wait for it. The reading has its own deadline: it does not end
// with the first who wanted it.
func (c *Bodies) fetch(ctx context.Context, at journal.Ref, f *fetch, read Read) {
	f.text, f.err = read(ctx, at)
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.going, at); f.err == nil {
		c.put(at, f.text)
	}
	close(f.done)
}
