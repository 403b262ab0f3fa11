// Three servers of which one goes away, and leaders that move, under members that write.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"protocolq/worker/journal"
)

func TestLeaderLost(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3)
	o := c.names("leader")
	c.make(t, o)
	w := &world{t: t, rand: rand.New(rand.NewPCG(1, 1)), fate: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 3 {
		m := w.join(i, journal.NewJetStream(o))
		wg.Go(func() { m.end = m.w.Run(ctx) })
		wg.Go(func() {
			if err := m.r.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("reader %s: %v", m.id, err)
			}
		})
	}
	const n = 600
	for i := range n {
		m := w.members[i%3]
		w.append(m, fmt.Sprintf("%s.%d", m.id, i))
		switch i {
		case 150, 300:
			if _, err := c.js.Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN."+o.Stream, nil, time.Minute); err != nil {
				t.Error(err)
			}
		case 450:
			c.lose(t, o.Stream)
		}
		<-time.After(2 * time.Millisecond)
	}
	s := &subject{t: t, log: journal.NewJetStream(o), within: 60 * time.Second}
	s.eventually("every entry is stored and read", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		entries := 0
		for _, b := range w.members[0].read {
			var position, number, count int
			var by string
			if _, err := fmt.Sscan(b, &position, &by, &number, &count); err != nil {
				t.Fatal(err)
			}
			entries += count
		}
		return len(w.fate) == n && entries >= n && len(w.members[1].read) == len(w.members[0].read) && len(w.members[2].read) == len(w.members[0].read)
	})
	all := s.next(1, len(w.members[0].read))
	cancel()
	wg.Wait()
	w.check(all)
}

// lose shuts a server down that is not the client's: the log's leader, if that is one of them.
func (c *servers) lose(t *testing.T, stream string) {
	t.Helper()
	s, err := c.js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	lost := 1
	if info := s.CachedInfo().Cluster; info != nil {
		for i, srv := range c.running[1:] {
			if srv.Name() == info.Leader {
				lost = i + 1
			}
		}
	}
	c.running[lost].Shutdown()
}
