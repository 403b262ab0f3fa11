package cli

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader takes what is written, unless it stands still.
type reader struct {
	mu   sync.Mutex
	text strings.Builder
	gate chan struct{} // closed: it reads
}

func (r *reader) Write(b []byte) (int, error) {
	<-r.gate
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *reader) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSpace(r.text.String()), "\n")
}

// A log that nobody reads costs its writers 100 ms once, and is read on where it stood.
func TestLogThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{gate: make(chan struct{})}
		log := NewLogger(r, slog.LevelInfo, "json")
		begun := time.Now()
		for i := range 20_000 {
			log.Info("a line", "n", i)
		}
		if took := time.Since(begun); took != patience {
			t.Errorf("20,000 lines that nobody reads took %v, want %v", took, patience)
		}
		close(r.gate)
		synctest.Wait()
		lines := r.lines()
		written := len(lines) - 1
		if written < 5000 || written >= 20_000 {
			t.Errorf("%d lines waited", written)
		}
		for i, line := range lines[:written] {
			if want := fmt.Sprintf(`"n":%d}`, i); !strings.HasSuffix(line, want) {
				t.Fatalf("line %d is %s", i, line)
			}
		}
		last, want := lines[written], fmt.Sprintf(`"msg":"lines left out: nobody read the log","left_out":%d}`, 20_000-written)
		if !strings.HasSuffix(last, want) {
			t.Errorf("the last line is %s, want %s", last, want)
		}
		log.Info("read again")
		if lines = r.lines(); !strings.Contains(lines[len(lines)-1], "read again") {
			t.Errorf("the last line is %s", lines[len(lines)-1])
		}
	})
}

// As long as the log is read, a line is out when its writer goes on: it is not lost if the process
// ends then.
func TestLineIsOutAtOnce(t *testing.T) {
	r := &reader{gate: make(chan struct{})}
	close(r.gate)
	log := NewLogger(r, slog.LevelInfo, "json")
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 200 {
				log.Info("a line", "of", w, "n", i)
			}
		})
	}
	writers.Wait()
	if n := len(r.lines()); n != 1600 {
		t.Errorf("%d of 1600 lines are out", n)
	}
}

func BenchmarkLogLine(b *testing.B) {
	for name, to := range map[string]io.Writer{"direct": io.Discard, "patient": &patient{to: io.Discard}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = to.Write([]byte("a line of a log, which is about as long as most of them are, with its time and level\n"))
			}
		})
	}
}
