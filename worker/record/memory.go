// Records in this process: for tests, examples, and programs that share them with no other.

package record

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a [Store] in this process. It has room without end. The zero value is
// ready.
type Memory struct {
	mu       sync.Mutex // guards what follows
	last     uint64     // of all sequences
	records  map[string]Record
	watchers []*watcher
}

type watcher struct {
	pattern string
	changed func(Record, error)
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, name string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[name]
	r.Name, r.Data = name, bytes.Clone(r.Data)
	return r, nil
}

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, name string, data []byte, expect uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	if m.records[name].Seq != expect {
		m.mu.Unlock()
		return 0, ErrConflict
	}
	if m.records == nil {
		m.records = map[string]Record{}
	}
	m.last++
	r := Record{Name: name, Data: bytes.Clone(data), Seq: m.last, Time: time.Now()}
	m.records[name] = r
	watchers := slices.Clone(m.watchers)
	m.mu.Unlock()
	for _, w := range watchers {
		if matches(w.pattern, name) {
			w.changed(r, nil)
		}
	}
	return r.Seq, nil
}

// Change is [Change] of m's records.
func (m *Memory) Change(ctx context.Context, name string, edit func(last []byte) ([]byte, error)) error {
	return Change(ctx, m, name, edit)
}

// Watch calls changed with each record that is written and whose name matches pattern, before its
// Put returns, until stop is called. It never fails.
func (m *Memory) Watch(pattern string, changed func(Record, error)) (stop func(), err error) {
	w := &watcher{pattern, changed}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers = append(m.watchers, w)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watchers = slices.DeleteFunc(m.watchers, func(other *watcher) bool { return other == w })
	}, nil
}

// matches reports whether a name matches a pattern, in which * stands for any one token.
func matches(pattern, name string) bool {
	p, n := strings.Split(pattern, "."), strings.Split(name, ".")
	return slices.EqualFunc(p, n, func(p, n string) bool { return p == "*" || p == n })
}
