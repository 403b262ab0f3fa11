// How many streams are open, in total and for each reader.

package web

import "sync"

// Bounds of the open streams: each costs a goroutine and a socket. A reader with many tabs must not
// keep other readers from opening theirs.
const (
	mostStreams   = 1000
	mostOfAReader = 50
)

// tabs counts open streams. Its zero value has none.
type tabs struct {
	mu  sync.Mutex // guards the rest
	all int
	of  map[string]int // by reader
}

// open counts one more stream of a reader, or reports that there is no room for it.
func (t *tabs) open(reader string, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all >= mostStreams || t.of[reader] >= most {
		return false
	}
	if t.of == nil {
		t.of = map[string]int{}
	}
	t.all++
	t.of[reader]++
	return true
}

// closed counts one stream less.
func (t *tabs) closed(reader string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.of[reader]--; t.of[reader] == 0 {
		delete(t.of, reader)
	}
}
