// A log that nobody reads: a full pipe, a terminal with ^S, a collector that hangs.

package cli

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// Bounds on what waits for a log's reader.
const (
	patience  = 100 * time.Millisecond // that a caller waits for its line, as long as lines get through
	mostBytes = 1 << 20                // of lines that wait; those beyond are left out
	ofALine   = 64                     // bytes that a line takes beside its text
)

// patient writes each line at once, but does not wait for a reader that stands still: a worker that
// hangs on a line of its log holds up its whole fleet. The first caller waits for patience, the
// others not at all until the reader has gone on. It has no error to give.
type patient struct {
	to io.Writer
	// leftOut writes a line about how many were left out, when the reader has gone on.
	leftOut func(lines int)

	mu      sync.Mutex // guards what follows
	waiting []logLine
	bytes   int // in waiting
	lost    int // lines left out
	writing bool
	stuck   bool // the reader stands still
}

type logLine struct {
	text    []byte
	written chan struct{}
}

// Write implements [io.Writer].
func (p *patient) Write(text []byte) (int, error) {
	l := logLine{bytes.Clone(text), make(chan struct{})}
	if !p.put(l) {
		return len(text), nil
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-l.written:
	case <-t.C:
		p.mu.Lock()
		p.stuck = p.writing
		p.mu.Unlock()
	}
	return len(text), nil
}

// put adds a line, and reports whether to wait for it.
func (p *patient) put(l logLine) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes+len(l.text)+ofALine > mostBytes {
		p.lost++
		return false
	}
	p.waiting = append(p.waiting, l)
	p.bytes += len(l.text) + ofALine
	if !p.writing {
		p.writing = true
		go p.write()
	}
	return !p.stuck
}

// write writes until nothing waits.
func (p *patient) write() {
	for {
		l, lost, more := p.next()
		if !more {
			return
		}
		if lost > 0 {
			p.leftOut(lost)
			continue
		}
		_, _ = p.to.Write(l.text) // there is nowhere else to say so
		close(l.written)
	}
}

// next takes a line out, or, when all lines are written, how many were left out.
func (p *patient) next() (l logLine, lost int, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		l = p.waiting[0]
		p.waiting[0] = logLine{}
		p.waiting = p.waiting[1:]
		p.bytes -= len(l.text) + ofALine
		return l, 0, true
	}
	if lost = p.lost; lost > 0 {
		p.lost = 0
		return l, lost, true
	}
	p.waiting, p.writing, p.stuck = nil, false, false
	return l, 0, false
}
