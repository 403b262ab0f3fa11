// The log in memory goes wrong as it is set to, and the same way each time.

package journaltest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// history is what 50 appends came to, and what was followed, under a seed.
func history(t *testing.T, seed uint64) string {
	var b strings.Builder
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var mu sync.Mutex
		note := func(format string, a ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&b, "%v "+format+"\n", append([]any{time.Since(begun)}, a...)...)
		}
		l := journaltest.New(seed)
		c := l.Connect(journaltest.Faults{Delay: 50 * time.Millisecond, LoseRequest: .2, LoseReply: .2, Refuse: .2, LoseFollowed: .2, Late: .2, LateBy: time.Second, Twice: .2})
		stop, err := c.Follow(func(m journal.Message) { note("followed %d", m.Position) })
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			last := uint64(0)
			for _, m := range l.Messages() {
				last = m.Position
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			at, err := c.Append(ctx, journal.Append{Member: "m", Expect: last, Data: []byte("x")})
			note("append after %d: %d %v", last, at, err)
			cancel()
		}
		time.Sleep(5 * time.Second)
		stop()
		note("stored %d", len(l.Messages()))
	})
	return b.String()
}

func TestSeedsRepeat(t *testing.T) {
	first := history(t, 1)
	for range 3 {
		if again := history(t, 1); again != first {
			t.Fatalf("another history of one seed:\n%s\n\n%s", first, again)
		}
	}
	if history(t, 2) == first {
		t.Error("another seed goes wrong in the same way")
	}
	for _, want := range []string{"followed", journal.ErrRefused.Error(), context.DeadlineExceeded.Error(), "stored"} {
		if !strings.Contains(first, want) {
			t.Errorf("never happened: %s", want)
		}
	}
}

// A request that is on its way arrives, whatever becomes of who sent it.
func TestRequestsTravelAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := journaltest.New(3)
		c := l.Connect(journaltest.Faults{Delay: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if at, err := c.Append(ctx, journal.Append{Member: "m", Data: []byte("x")}); err == nil {
			t.Fatalf("acknowledged at %d before it can be", at)
		}
		if n := len(l.Messages()); n != 0 {
			t.Errorf("%d messages before they arrive", n)
		}
		time.Sleep(time.Second)
		if n := len(l.Messages()); n != 1 {
			t.Errorf("%d messages", n)
		}
	})
}
