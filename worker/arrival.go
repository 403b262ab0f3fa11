// An ask that was taken from a stream and is not acknowledged yet.

package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"protocolq/messages"
)

// delivery is a message out of a stream, or one of those that it holds, until it is acknowledged.
type delivery interface {
	Data() []byte
	Ack() error
	NakWithDelay(delay time.Duration) error
	InProgress() error
}

// arrival is one ask with all that its answer needs.
type arrival struct {
	q        messages.Query
	encoding messages.Encoding
	token    string // the ask token: identity of this arrival in what is published for it
	door     string // messages.DoorQuery or DoorSubmit
	subject  string // where its asker sent it to
	replyTo  string // checked; "" when it is told by its event alone
	stored   time.Time
	until    time.Time // when its asker stops waiting
	trace    string    // traceparent
	redriven int64     // how often it was a dead letter before
	lastCode string    // what came of it before, of one that waits
	msg      delivery
	again    bool // delivered before: whoever had it may have died
	waiting  bool // comes from the stream of waiting queries
	counted  bool // among those of them that are in the house
	tries    uint64
	taken    time.Time
	bytes    int
}

// taken holds the asks of this worker that are not acknowledged yet, bounded in
// number and in bytes. It keeps the server from giving them to another.
type taken struct {
	every atomic.Int64 // nanoseconds between two signs of life: a third of the consumers' AckWait

	mu       sync.Mutex // guards what follows
	room     sync.Cond  // signalled when there may be room
	asks     map[*arrival]struct{}
	bytes    int
	waiting  int // how many of them come from the stream of waiting queries
	closed   bool
	most     int
	mostSize int
	mostWait int
}

func newTaken(most, mostBytes, mostWait int) *taken {
	t := &taken{asks: map[*arrival]struct{}{}, most: most, mostSize: mostBytes, mostWait: mostWait}
	t.room.L = &t.mu
	t.every.Store(int64(time.Second))
	return t
}

// enter waits for room and takes a in. It returns false when the doors are
// closed: give the ask back.
func (t *taken) enter(a *arrival) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.closed && (len(t.asks) >= t.most || t.bytes+a.bytes > t.mostSize) {
		t.room.Wait()
	}
	if t.closed {
		return false
	}
	t.add(a)
	return true
}

// enterWaiting takes in a waiting query if there is room for one more of them.
// They never fill the house: whoever awaits comes first.
func (t *taken) enterWaiting(a *arrival) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.waiting >= t.mostWait || len(t.asks) >= t.most || t.bytes+a.bytes > t.mostSize {
		return false
	}
	t.waiting++
	a.counted = true
	t.add(a)
	return true
}

// add keeps a; the caller holds mu.
func (t *taken) add(a *arrival) {
	a.taken = time.Now()
	t.asks[a] = struct{}{}
	t.bytes += a.bytes
}

// leave lets a go; the caller acknowledges it or gives it back.
func (t *taken) leave(a *arrival) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, in := t.asks[a]; in {
		delete(t.asks, a)
		t.bytes -= a.bytes
		if a.counted {
			t.waiting--
		}
		t.room.Broadcast() // two consumers wait, for rooms of different sizes
	}
}

// hold counts bytes that are in the house beside those of single asks, or are gone.
func (t *taken) hold(bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes += bytes; bytes < 0 {
		t.room.Broadcast()
	}
}

// full reports whether the house is full.
func (t *taken) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.asks) >= t.most || t.bytes >= t.mostSize
}

func (t *taken) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.room.Broadcast()
}

// keepAlive tells the server every so often that the asks are being worked on.
func (t *taken) keepAlive(ctx context.Context) {
	for {
		every := time.Duration(t.every.Load())
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		for _, a := range t.olderThan(every / 2) {
			_ = a.msg.InProgress() // lost ones are delivered again, which is harmless
		}
	}
}

func (t *taken) olderThan(d time.Duration) []*arrival {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := make([]*arrival, 0, len(t.asks))
	for a := range t.asks {
		if time.Since(a.taken) >= d {
			old = append(old, a)
		}
	}
	return old
}
