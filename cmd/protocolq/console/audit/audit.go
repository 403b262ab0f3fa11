// The audit of the page: one row for each action.

// Package audit keeps what operators did on the page: who, when, what, and to how many. Rows are
// lines of JSON in a file; without a file, the last thousand rows are kept in memory.
package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Row is one action.
type Row struct {
	AtMs    int64  `json:"at_ms"`
	Who     string `json:"who"`
	From    string `json:"from,omitempty"` // the browser's address
	What    string `json:"what"`           // "redrive", "discard", "pause", "halt", "sign_in", …
	On      string `json:"on,omitempty"`   // what the action was done to, masked
	HowMany int    `json:"how_many"`
	Reason  string `json:"reason,omitempty"`
	Fault   string `json:"fault,omitempty"` // what went wrong; empty: nothing
}

// At is the time of the action.
func (r Row) At() time.Time { return time.UnixMilli(r.AtMs) }

// Log keeps rows.
type Log interface {
	// Append keeps a row before the action is reported as done. If AtMs is zero it is set to now.
	Append(ctx context.Context, r Row) error
	// Recent returns at most n of the last rows, newest first.
	Recent(ctx context.Context, n int) ([]Row, error)
}

// most is the number of rows kept in memory.
const most = 1000

// File is a Log of this process's rows and of those before it.
type File struct {
	mu   sync.Mutex // guards the rest
	file *os.File   // nil: memory only
	cut  bool       // the file's last line may be incomplete
	rows []Row      // oldest first
}

// Memory keeps rows until the process ends.
func Memory() *File { return &File{} }

// Open appends to the file at path. It makes the file readable for its owner only.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the audit file: %w", err)
	}
	l := &File{file: f}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r Row
		if json.Unmarshal(lines.Bytes(), &r) == nil { // a line that a full disk cut off is not a row
			l.keep(r)
		}
	}
	if err = lines.Err(); err == nil {
		l.cut, err = isCut(f)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the audit file: %w", err), f.Close())
	}
	return l, nil
}

// isCut reports whether the last line has no end: the next row would be lost with it.
func isCut(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return last[0] != '\n', err
}

func (l *File) keep(r Row) {
	if l.rows = append(l.rows, r); len(l.rows) > 2*most {
		l.rows = slices.Clone(l.rows[len(l.rows)-most:])
	}
}

// Append implements Log.
func (l *File) Append(_ context.Context, r Row) error {
	if r.AtMs == 0 {
		r.AtMs = time.Now().UnixMilli()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		if err := l.write(r); err != nil {
			return fmt.Errorf("write the audit row: %w", err)
		}
	}
	l.keep(r)
	return nil
}

// write returns once the row is on disk, on a line of its own.
func (l *File) write(r Row) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if l.cut {
		line = append([]byte{'\n'}, line...)
	}
	if _, err = l.file.Write(append(line, '\n')); err != nil {
		l.cut = true
		return err
	}
	l.cut = false
	return l.file.Sync()
}

// Recent implements Log.
func (l *File) Recent(_ context.Context, n int) ([]Row, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := slices.Clone(l.rows[max(len(l.rows)-min(n, most), 0):])
	slices.Reverse(rows)
	return rows, nil
}

// Close closes the file.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
