// Workers that die together: what is theirs is others' as soon as if one of them had died.

package member_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"protocolq/worker/member"
)

// sealed keeps when a worker says that it has sealed another.
type sealed struct {
	mu sync.Mutex // guards at
	at []time.Time
}

func (s *sealed) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Contains(line, []byte("silent member sealed")) {
		s.at = append(s.at, time.Now())
	}
	return len(line), nil
}

func TestManyDieTogether(t *testing.T) {
	const many = 40 // more than are sealed in one look
	bubble(t, func(w *world) {
		var of sealed
		a := w.start("a", func(o *member.Options) { o.Logger = slog.New(slog.NewTextHandler(&of, nil)) })
		var dead []*one
		for i := range many {
			dead = append(dead, w.start(fmt.Sprintf("b%d", i)))
		}
		for _, x := range dead {
			x.kill()
		}
		wait(time.Minute)
		of.mu.Lock()
		defer of.mu.Unlock()
		if len(of.at) != many {
			t.Fatalf("sealed %d of %d", len(of.at), many)
		}
		// Two looks are 200 ms apart, and what is stored is acknowledged within some milliseconds.
		if took := of.at[many-1].Sub(of.at[0]); took > 250*time.Millisecond {
			t.Errorf("the last was sealed %v after the first", took)
		}
		a.leave()
	})
}
