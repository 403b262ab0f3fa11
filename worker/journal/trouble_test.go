// What a trouble that lasts leaves in the log of a process.

package journal_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// lines counts what is logged by its message.
type lines struct {
	mu    sync.Mutex // guards count
	count map[string]int
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rest, _ := bytes.Cut(p, []byte(`msg="`))
	what, _, _ := strings.Cut(string(rest), `"`)
	l.count[what]++
	return len(p), nil
}

func (l *lines) want(t *testing.T, what string, n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count[what] != n {
		t.Errorf("%q was logged %d times, want %d", what, l.count[what], n)
	}
}

func newLines() (*lines, *slog.Logger) {
	l := &lines{count: map[string]int{}}
	return l, slog.New(slog.NewTextHandler(l, nil))
}

// A log that is away for two minutes is a line each half, and it is one again the next time.
func TestWritersTroubleIsLoggedNowAndThen(t *testing.T) {
	l, logger := newLines()
	play(t, journaltest.Faults{}, func(o *journal.WriterOptions) { o.Logger = logger }, func(s *stage) {
		for range 2 {
			s.conn.Cut(true)
			s.add(1)
			wait(2*time.Minute - time.Second)
			s.conn.Cut(false)
			wait(5 * time.Second)
		}
		l.want(t, "batch not acknowledged", 2)
		l.want(t, "last batch not read", 2*4)
	})
}

func TestReadersTroubleIsLoggedNowAndThen(t *testing.T) {
	l, logger := newLines()
	synctest.Test(t, func(t *testing.T) {
		nobody := away{journaltest.New(1).Connect(journaltest.Faults{})}
		r, err := journal.NewReader(journal.ReaderOptions{Source: nobody, Apply: func(*journal.Batch) error { return nil }, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute-time.Second)
		defer cancel()
		_ = r.Run(ctx)
		l.want(t, "log not read", 4)
	})
}

// away is a source that cannot be read.
type away struct{ *journaltest.Conn }

func (away) Next(context.Context, uint64) ([]journal.Message, error) {
	return nil, errors.New("away")
}
