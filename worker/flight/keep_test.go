// A turn of a partner's concurrency is kept for askers that await their reply.

package flight_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// places is a partner's concurrency: so many calls at once.
func places(n int, lasts bool) func(context.Context, string) (flight.Admission, error) {
	free := make(chan struct{}, n)
	return func(ctx context.Context, _ string) (flight.Admission, error) {
		select {
		case free <- struct{}{}:
			return flight.Admission{Leave: func() { <-free }, Lasts: lasts}, nil
		case <-ctx.Done():
			return flight.Admission{}, ctx.Err()
		}
	}
}

// begun is when the calls with a query began.
func (m *member) begun(query string) (at []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.calls {
		if c.query == query {
			at = append(at, c.at)
		}
	}
	return at
}

// Calls of 100 ms end together, with hundreds of submitted asks in line. The first asker that
// awaits its reply waits for the next end of a call; those that come within the next 10 s wait for
// none.
func TestKeptTurn(t *testing.T) {
	for _, c := range []struct {
		name   string
		places int
		lasts  bool
		waits  [3]time.Duration // of askers at 150 ms, 350 ms, 20,350 ms
		atOnce int              // submitted calls, once askers have come
	}{
		{"one of four", 4, true, [3]time.Duration{50 * ms, 0, 50 * ms}, 3},
		{"one of eight", 8, true, [3]time.Duration{50 * ms, 0, 50 * ms}, 7},
		{"none of three", 3, true, [3]time.Duration{50 * ms, 50 * ms, 50 * ms}, 3},
		{"none for its instant", 4, false, [3]time.Duration{50 * ms, 50 * ms, 50 * ms}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(m *member) {
				m.gate = places(c.places, c.lasts)
				m.answer = func(int, string) (time.Duration, flight.Outcome) { return 100 * ms, answered }
				for i := range 2500 {
					m.ask(fmt.Sprint("s", i), 0, func(a *journal.Ask) {
						submit(a)
						a.Key, a.Question = journal.Key{1, byte(i), byte(i >> 8)}, journal.Hash{1, byte(i), byte(i >> 8)}
					})
				}
				var waits [3]time.Duration
				for i, at := range []time.Duration{150 * ms, 350 * ms, 20_350 * ms} {
					m.wait(at - time.Since(m.start))
					m.ask(fmt.Sprint("a", i), byte(2+i), nil)
					m.wait(99 * ms)
					if at := m.begun(fmt.Sprint("a", i)); len(at) == 1 {
						waits[i] = at[0] - []time.Duration{150 * ms, 350 * ms, 20_350 * ms}[i]
					} else {
						waits[i] = -1
					}
				}
				if waits != c.waits {
					t.Errorf("asked and called after %v, want %v", waits, c.waits)
				}
				for second, want := range map[time.Duration]int{5 * time.Second: c.atOnce, 15 * time.Second: c.places} {
					m.mu.Lock()
					n := len(slices.DeleteFunc(slices.Clone(m.calls), func(g gone) bool { return g.at < second || g.at >= second+100*ms }))
					m.mu.Unlock()
					if n != want {
						t.Errorf("%d submitted calls began within a call's time at %v, want %d", n, second, want)
					}
				}
			})
		})
	}
}

// While askers keep coming that await their reply, submitted asks have their share of the turns.
func TestShareBesideKeptTurns(t *testing.T) {
	for _, lasts := range []bool{false, true} {
		t.Run(fmt.Sprint("lasts ", lasts), func(t *testing.T) {
			bubble(t, func(o *flight.Options) { o.AskPatience = time.Minute }, func(m *member) {
				m.gate = places(8, lasts)
				m.answer = func(n int, _ string) (time.Duration, flight.Outcome) {
					return time.Duration(100+n%17*7) * ms, answered
				}
				n := 0
				await := func(k int) {
					for range k {
						n++
						m.ask(fmt.Sprint("a", n), 0, func(a *journal.Ask) { a.Key = numbered(n) })
					}
				}
				await(100)
				m.wait(2 * time.Second)
				for i := range byte(5) {
					m.ask(fmt.Sprint("s", i), 0, func(a *journal.Ask) { submit(a); a.Key = journal.Key{9, i} })
				}
				for range 20 {
					await(55) // more than 8 places serve in a second
					m.wait(time.Second)
				}
				for i := range 5 {
					if at := m.begun(fmt.Sprint("s", i)); len(at) != 1 || at[0] > 4*time.Second {
						t.Errorf("a submitted ask that came at 2s was called for at %v", at)
					}
				}
			})
		})
	}
}
