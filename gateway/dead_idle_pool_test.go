// A balancer that forgets all kept connections at once, on real sockets.

package gateway_test

import (
	"bufio"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/gateway"
)

// TestDeadIdlePool lets the old connections go silent, without a FIN or RST, while new ones work.
// The first call cannot know; the next one must not get another of the old connections.
func TestDeadIdlePool(t *testing.T) {
	t.Parallel()
	ln := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = ln.Close() })
	var silent atomic.Int64 // connections accepted before this number are silent
	var seen atomic.Int64
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func(number int64) {
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if number <= silent.Load() {
						continue
					}
					time.Sleep(50 * time.Millisecond) // so that warming up needs several connections
					_, _ = io.WriteString(c, rightAnswer)
				}
			}(seen.Add(1))
		}
	}()
	c := newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost = "http://"+ln.Addr().String()+"/gateway.do", true
		o.Timeout = 4 * time.Second // as a busy machine needs for the right answer
	})
	ask := func() error {
		_, _, err := c.Ask(t.Context(), email("signed"), nil)
		return err
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = ask() })
	}
	wg.Wait()
	silent.Store(seen.Load())
	if ask() == nil {
		t.Fatal("the first call had a connection that works: nothing is tested")
	}
	if err := ask(); err != nil {
		t.Errorf("the second call was given another dead connection: %v", err)
	}
}
