// Posts: a subject without room holds up no other, on the test's own clock.

package intake

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bounded is a stream in which one subject has no room.
type bounded struct {
	mu     sync.Mutex // guards what follows
	full   string     // the subject; "": none
	tries  int        // of it
	stored []string
}

func (b *bounded) Go(m *nats.Msg, _ time.Duration, done func(uint64, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Subject == b.full {
		b.tries++
		go done(0, &jetstream.APIError{Code: 400, ErrorCode: 10077, Description: "maximum messages per subject exceeded"})
		return nil
	}
	b.stored = append(b.stored, m.Subject)
	go done(1, nil)
	return nil
}

func (b *bounded) set(full string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full, b.tries = full, 0
}

// taken is what was stored since the last time, and how often the full subject was tried.
func (b *bounded) taken() (stored []string, tries int) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	stored, b.stored = b.stored, nil
	tries, b.tries = b.tries, 0
	return stored, tries
}

// posting runs posts into a stream until end is called.
func posting(t *testing.T, to Stream, log *slog.Logger) (p *posts, post func(subject string), end func()) {
	t.Helper()
	p = newPosts(to, "durable reply", nil, log)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.run(ctx) })
	post = func(subject string) {
		p.add(func(cut int) *nats.Msg {
			if cut > 0 {
				return nil
			}
			return &nats.Msg{Subject: subject}
		})
	}
	return p, post, func() { stop(); running.Wait() }
}

// An asker that does not read its durable replies holds up nobody else's, and gets its own once it
// has made room.
func TestFullSubjectHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		to := &bounded{full: "unread"}
		p, post, end := posting(t, to, slog.New(slog.NewTextHandler(&said, nil)))
		post("unread")
		post("read.1")
		post("unread")
		post("read.2")
		if got, tries := to.taken(); !slices.Equal(got, []string{"read.1", "read.2"}) || tries != 2 {
			t.Errorf("stored at once: %q, after %d tries of the full subject", got, tries)
		}
		time.Sleep(10 * time.Minute)
		if _, tries := to.taken(); tries != 2*120 {
			t.Errorf("the full subject was tried %d times in 10 minutes, want once in 5 s for each reply", tries)
		}
		to.set("")
		time.Sleep(heldFor)
		if got, _ := to.taken(); !slices.Equal(got, []string{"unread", "unread"}) || p.lost.Load() != 0 {
			t.Errorf("stored when there is room: %q, %d lost", got, p.lost.Load())
		}
		end()
		if n := strings.Count(said.String(), "not stored"); n == 0 || n > 21 {
			t.Errorf("logged %d times in 10 minutes", n)
		}
	})
}

// Replies without room are bounded and leave room for others; what is beyond is lost and counted,
// as is what waits at the end.
func TestFullSubjectIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &bounded{full: "unread"}
		p, post, end := posting(t, to, slog.New(slog.DiscardHandler))
		for range 3 * mostPosts {
			post("unread")
			synctest.Wait()
		}
		if n := p.lost.Load(); n != 3*mostPosts-mostHeld {
			t.Errorf("%d lost, want all but %d", n, mostHeld)
		}
		to.taken()
		for i := range mostPosts - mostHeld {
			post("read." + strconv.Itoa(i))
		}
		if got, _ := to.taken(); len(got) != mostPosts-mostHeld {
			t.Errorf("%d of %d others were stored", len(got), mostPosts-mostHeld)
		}
		end()
		if n := p.lost.Load(); n != 3*mostPosts {
			t.Errorf("%d lost in the end, want %d", n, 3*mostPosts)
		}
	})
}

// Each of those that wait at the end is logged: there is no other copy.
func TestPostsAreLoggedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		to := &bounded{full: "unread"}
		p, post, end := posting(t, to, slog.New(slog.NewTextHandler(&said, nil)))
		post("unread")
		post("unread")
		to.taken()
		end()
		if n := strings.Count(said.String(), "msg=lost"); n != 2 || p.lost.Load() != 2 {
			t.Errorf("%d logged, %d lost: %s", n, p.lost.Load(), said.String())
		}
	})
}
