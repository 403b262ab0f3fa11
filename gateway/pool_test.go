// Which connection a call gets, and when: exact times, on a bubble's clock.

package gateway_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway"
)

// inBubble is a client and a practice gateway in one bubble; dials counts its connections.
func inBubble(t *testing.T, change func(*gateway.Options)) (c *gateway.Client, network *forgetful) {
	network = &forgetful{pipes: servePipes(t, newSimulator(t, nil))}
	c = newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost, o.Dial = "http://localhost/gateway.do", true, network.dial
		if change != nil {
			change(o)
		}
	})
	return c, network
}

// forgetful is a network whose balancer can silently forget all connections at once.
type forgetful struct {
	pipes   *pipes
	dials   atomic.Int32
	forgets atomic.Int32 // connections up to this number are silent
}

func (f *forgetful) dial(context.Context, string, string) (net.Conn, error) {
	return &forgettable{Conn: f.pipes.dial(), number: f.dials.Add(1), network: f}, nil
}

// forget makes the present connections silent.
func (f *forgetful) forget() { f.forgets.Store(f.dials.Load()) }

type forgettable struct {
	net.Conn
	number  int32
	network *forgetful
}

func (c *forgettable) Write(b []byte) (int, error) {
	if c.number <= c.network.forgets.Load() {
		return len(b), nil // like a socket: the bytes go nowhere
	}
	return c.Conn.Write(b)
}

// If a connection is not a socket that can be inspected, a short read looks instead: before the
// question, and after an answer after which the other side does not close.
const (
	lookBefore = time.Millisecond
	look       = lookBefore + time.Millisecond
)

func TestRestBeforeTheFirstQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, network := inBubble(t, nil)
		ask := func() time.Duration {
			begun := time.Now()
			if _, _, err := c.Ask(t.Context(), email("fault-delay-250ms"), nil); err != nil {
				t.Fatal(err)
			}
			return time.Since(begun)
		}
		// The first two dial and rest. From then on each call finds a connection that was dialled when
		// the call before it began.
		for n, want := range []time.Duration{350 * time.Millisecond, 350 * time.Millisecond, 250 * time.Millisecond, 250 * time.Millisecond} {
			if took := ask(); took != want+lookBefore {
				t.Errorf("call %d took %s, not %s", n+1, took, want+lookBefore)
			}
		}
		if n := network.dials.Load(); n != 5 {
			t.Errorf("%d connections for 4 calls", n)
		}
		// The one dialled ahead ends with its idle time.
		time.Sleep(5*time.Second + lookBefore)
		synctest.Wait()
		if n := network.pipes.open.Load(); n != 0 {
			t.Errorf("%d connections open", n)
		}
		// A single call dials nothing ahead.
		_ = ask()
		if n := network.dials.Load(); n != 6 {
			t.Errorf("%d connections for 5 calls", n)
		}
	})
}

func TestRestBeforeTheNextQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, network := inBubble(t, func(o *gateway.Options) { o.ReuseAfter = 40 * time.Millisecond })
		begun := time.Now()
		// 1 dials and rests; 2 waits for the same connection to rest again and dials one
		// ahead, which 3 takes; at 4 the first has rested again.
		ms := time.Millisecond
		for n, want := range []struct {
			ended  time.Duration
			reused bool
		}{{40*ms + look, false}, {80*ms + 2*look, true}, {80*ms + 3*look, false}, {120*ms + 3*look, true}} {
			_, report, err := c.Ask(t.Context(), email("signed"), nil)
			if ended := time.Since(begun); err != nil || ended != want.ended || report.Reused != want.reused {
				t.Errorf("call %d ended after %s, reused %v, %v", n+1, ended, report.Reused, err)
			}
		}
		if n := network.dials.Load(); n != 3 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestSecondAttemptAlwaysSucceeds lets all kept connections go silent. The calls that got one
// cannot know; their next attempts must not get another.
func TestSecondAttemptAlwaysSucceeds(t *testing.T) {
	for name, patience := range map[string]time.Duration{"the client's time-out": time.Hour, "the caller's deadline": 300 * time.Millisecond} {
		for _, reuse := range []time.Duration{0, 50 * time.Millisecond} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, network := inBubble(t, func(o *gateway.Options) { o.ReuseAfter, o.Timeout = reuse, time.Second })
					ask := func() error {
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						_, _, err := c.Ask(ctx, email("fault-delay-50ms"), nil)
						return err
					}
					_ = ask()
					together(8, func() { _ = ask() })
					time.Sleep(time.Second)
					network.forget()
					var failed, again atomic.Int32
					together(8, func() {
						if ask() == nil {
							return
						}
						failed.Add(1)
						if err := ask(); err != nil {
							again.Add(1)
						}
					})
					if failed.Load() == 0 {
						t.Error("every first call had a connection that works: nothing is tested")
					}
					if n := again.Load(); n != 0 {
						t.Errorf("%d of %d second calls were given another dead connection", n, failed.Load())
					}
				})
			})
		}
	}
}

// TestHangUpSaysNothingOfTheOthers lets the gateway close on a question, in order: the resting
// connections are as good as before, and the next call finds one.
func TestHangUpSaysNothingOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, network := inBubble(t, nil)
		together(4, func() { _, _, _ = c.Ask(t.Context(), email("fault-delay-50ms"), nil) })
		before := network.dials.Load()
		for _, fault := range []string{"fault-drop", "fault-half-body"} {
			time.Sleep(time.Second)
			if _, _, err := c.Ask(t.Context(), email(fault), nil); err == nil {
				t.Errorf("%s: an answer", fault)
			}
			begun := time.Now()
			if _, _, err := c.Ask(t.Context(), email("signed"), nil); err != nil || time.Since(begun) != lookBefore {
				t.Errorf("after %s: %v after %s", fault, err, time.Since(begun))
			}
		}
		synctest.Wait()
		if n := network.dials.Load() - before; n != 4 {
			t.Errorf("%d connections for 4 calls", n)
		}
	})
}

func together(n int, do func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(do)
	}
	wg.Wait()
}

// TestStopDuringTheRest ends a call whose connection still rests.
func TestStopDuringTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, network := inBubble(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, _, err := c.Ask(ctx, email("signed"), nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 30*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		synctest.Wait()
		if n := network.pipes.open.Load(); n != 0 {
			t.Errorf("%d connections open", n)
		}
	})
}
