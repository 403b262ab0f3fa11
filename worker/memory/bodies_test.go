// The cache of bodies: its bound, and one reading for all.

package memory_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

func at(n int) journal.Ref { return journal.Ref{Position: uint64(n), Index: 1} }

func TestBodiesKeepTheNewest(t *testing.T) {
	c := memory.NewBodies(10_000, func(b []byte) int { return len(b) })
	for n := 1; n <= 20; n++ {
		c.Put(at(n), bytes.Repeat([]byte{byte(n)}, 840)) // 1,000 each
		if _, ok := c.Get(at(1)); !ok {
			t.Fatalf("the one that is used all the time is gone after %d", n)
		}
	}
	for n := 2; n <= 20; n++ {
		if text, ok := c.Get(at(n)); ok != (n > 11) || ok && text[0] != byte(n) {
			t.Errorf("%d is held: %v", n, ok)
		}
	}
	if c.Put(at(99), make([]byte, 2_600)); held(c, 99) {
		t.Error("one that would displace a quarter of the others is held")
	}
}

func held(c *memory.Bodies[[]byte], n int) bool { _, ok := c.Get(at(n)); return ok }

func TestBodiesAreReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewBodies(10_000, func(b []byte) int { return len(b) })
		var reads atomic.Int32
		read := func(context.Context, journal.Ref) ([]byte, error) {
			reads.Add(1)
			time.Sleep(time.Second)
			return []byte("yes"), nil
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Load(impatient, at(1), read); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who does not wait gets %v", err)
			}
		})
		synctest.Wait()
		for range 10 {
			all.Go(func() {
				if text, err := c.Load(t.Context(), at(1), read); string(text) != "yes" || err != nil {
					t.Errorf("%s, %v", text, err)
				}
			})
		}
		all.Wait()
		if text, err := c.Load(t.Context(), at(1), read); string(text) != "yes" || err != nil || reads.Load() != 1 {
			t.Errorf("%s, %v after %d readings", text, err, reads.Load())
		}
	})
}

// What was being read when the log was replaced is not kept, and nobody joins it any more.
func TestBodiesOfAReplacedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewBodies(10_000, func(b []byte) int { return len(b) })
		read := func(text string, takes time.Duration) func(context.Context, journal.Ref) ([]byte, error) {
			return func(context.Context, journal.Ref) ([]byte, error) {
				time.Sleep(takes)
				return []byte(text), nil
			}
		}
		go c.Load(t.Context(), at(1), read("old", 2*time.Second)) //nolint:errcheck // of the log before
		synctest.Wait()
		c.Clear()
		if text, err := c.Load(t.Context(), at(1), read("new", time.Second)); string(text) != "new" || err != nil {
			t.Errorf("%s, %v", text, err)
		}
		time.Sleep(3 * time.Second)
		if text, ok := c.Get(at(1)); string(text) != "new" || !ok {
			t.Errorf("%s is held, %v", text, ok)
		}
	})
}

func TestBodiesThatCannotBeReadAreReadAgain(t *testing.T) {
	c, away := memory.NewBodies(10_000, func(b []byte) int { return len(b) }), errors.New("away")
	if _, err := c.Load(t.Context(), at(1), func(context.Context, journal.Ref) ([]byte, error) { return nil, away }); !errors.Is(err, away) {
		t.Errorf("error %v", err)
	}
	text, err := c.Load(t.Context(), at(1), func(context.Context, journal.Ref) ([]byte, error) { return []byte("yes"), nil })
	if string(text) != "yes" || err != nil {
		t.Errorf("%s, %v", text, err)
	}
}
