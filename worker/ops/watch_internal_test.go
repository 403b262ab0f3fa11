// When the log says that a process is unready: to the second, by a clock of the test's own.

package ops

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// transcript keeps what is logged.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestUnreadyIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out transcript
		var down, draining atomic.Bool
		down.Store(true)
		s := New(Options{Logger: slog.New(slog.NewTextHandler(&out, nil)), Health: func() Health {
			return Health{Started: true, Draining: draining.Load(), Parts: []Part{part("nats", !down.Load(), Down, "not connected")}}
		}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		lines := func(after time.Duration, want int, last string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			text := out.String()
			if n := strings.Count(text, "\n"); n != want || !strings.Contains(text[strings.LastIndex("\n"+strings.TrimSuffix(text, "\n"), "\n"):], last) {
				t.Errorf("%d lines, want %d, the last with %q:\n%s", n, want, last, text)
			}
		}
		lines(59*time.Second, 0, "")
		lines(2*time.Second, 1, `level=ERROR msg="not ready" for_ms=60000 status="unready; nats down: not connected"`)
		lines(4*time.Minute, 1, "")
		lines(time.Minute, 2, "for_ms=360000")
		down.Store(false)
		lines(10*time.Second, 3, `msg="ready again"`)
		down.Store(true)
		draining.Store(true)
		lines(10*time.Minute, 3, "ready again")
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
