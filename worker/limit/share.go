// A concurrency limit for the fleet: each process holds a share of it, written in one shared
// record.

package limit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Share limits how many calls run at once, in all processes that share its record together. Each
// process writes there how many calls it holds, for a limited time. It grows its share when it
// needs more, gives back what it does not use, and makes room for a process that has too little.
// The share of a dead process is free again when its time ends. Safe for concurrent use.
type Share struct {
	records Records
	name    string
	owner   string
	most    int
	clock   func() time.Time

	mu     sync.Mutex // guards the rest
	have   int        // of the fleet's calls, this process's share
	target int        // the share to come down to; equal to have if it need not shrink
	used   int
	queue  []chan struct{} // waiting calls, each notified once; bounded by the asks that a process takes in
	left   bool            // the process ends: no more calls get in

	turn    chan struct{} // holds one token: one change of the record at a time
	refused time.Time     // when the whole was last found taken; only for the holder of the turn
	stale   bool          // the record may say more than is needed; only for the holder of the turn
}

type shareRecord struct {
	Members map[string]member `json:"members"`
}

type member struct {
	Have    int   `json:"have"`
	Wants   bool  `json:"wants,omitempty"` // it has no free call and waits
	UntilMs int64 `json:"until_ms"`        // unix ms
}

// How long a share is held without being renewed, and how often it is renewed.
const (
	shareTTL   = 10 * time.Second
	ShareEvery = 250 * time.Millisecond
	shareRetry = 50 * time.Millisecond
)

// NewShare makes owner's share of most calls, with a clock that the fleet shares.
func NewShare(r Records, name, owner string, most int, clock func() time.Time) *Share {
	return &Share{records: r, name: name, owner: owner, most: most, clock: clock, turn: make(chan struct{}, 1)}
}

// Enter waits until a call may begin, first come, first served, or until ctx ends. Call leave when
// the call has ended.
func (s *Share) Enter(ctx context.Context) (leave func(), err error) {
	mine := make(chan struct{}, 1)
	s.mu.Lock()
	s.queue = append(s.queue, mine)
	s.hand()
	s.mu.Unlock()
	for {
		if err := s.grow(ctx, mine); err != nil {
			s.forget(mine)
			return nil, err
		}
		t := time.NewTimer(shareRetry)
		select {
		case <-mine:
			t.Stop()
			return s.leave, nil
		case <-ctx.Done():
			t.Stop()
			s.forget(mine)
			return nil, ctx.Err()
		case <-t.C:
		}
	}
}

func (s *Share) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	s.hand()
}

// forget removes a waiter from the queue, or gives back the place that it got meanwhile.
func (s *Share) forget(mine chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, mine); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		return
	}
	s.used--
	s.hand()
}

// hand lets in as many calls as there is room for; the caller holds mu.
func (s *Share) hand() {
	for !s.left && len(s.queue) > 0 && s.used < min(s.have, s.target) {
		s.used++
		s.queue[0] <- struct{}{}
		s.queue = s.queue[1:]
	}
}

// grow asks for a larger share, in steps of a part of the whole, when mine is the first to wait.
func (s *Share) grow(ctx context.Context, mine chan struct{}) error {
	s.mu.Lock()
	first := len(s.queue) > 0 && s.queue[0] == mine && !s.left
	s.mu.Unlock()
	if !first {
		return nil
	}
	if err := acquire(ctx, s.turn); err != nil {
		return err
	}
	defer release(s.turn)
	s.mu.Lock()
	have, full := s.have, s.used >= min(s.have, s.target) && !s.left
	s.mu.Unlock()
	if !full || time.Since(s.refused) < shareRetry {
		return nil
	}
	if err := s.write(ctx, min(have+max(1, s.most/8), s.most), true); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.have <= have {
		s.refused = time.Now()
	}
	return nil
}

// Renew writes the share anew. It gives back what is not used, and makes room for a process that
// waits while this one holds more than its fair part. Call it every ShareEvery.
func (s *Share) Renew(ctx context.Context) error {
	if err := acquire(ctx, s.turn); err != nil {
		return err
	}
	defer release(s.turn)
	s.mu.Lock()
	used, waits := s.used, len(s.queue) > 0 && !s.left
	idle := s.have == 0 && used == 0 && (waits || !s.stale)
	s.mu.Unlock()
	if idle {
		return nil
	}
	return s.write(ctx, used, false)
}

// Leave is the last Renew, of a process that ends: it gives back what is not used. From then on no
// call gets in, and Enter only waits until its ctx ends.
func (s *Share) Leave(ctx context.Context) error {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	return s.Renew(ctx)
}

// write sets this process's share to want, or to what the others leave of it.
func (s *Share) write(ctx context.Context, want int, growing bool) error {
	var have, target int
	// A decrease takes effect here before it is written: while the record says that a place is free,
	// no call may take it here.
	s.mu.Lock()
	if want < s.have {
		s.have = max(s.used, want)
		want = s.have
	}
	s.mu.Unlock()
	wants := false // the record says that this process waits
	s.stale = true // until it is known what was written
	err := change(ctx, s.records, s.name, func(r *shareRecord) bool {
		now := s.clock()
		maps.DeleteFunc(r.Members, func(_ string, m member) bool {
			left := time.UnixMilli(m.UntilMs).Sub(now)
			return left <= 0 || left > 2*shareTTL // no process writes such a time: the clock was set back
		})
		others, waiting := 0, false
		for owner, m := range r.Members {
			if owner != s.owner {
				others += m.Have
				waiting = waiting || m.Wants
			}
		}
		have = max(min(want, s.most-others), 0)
		target = have
		if waiting {
			members := len(r.Members)
			if _, in := r.Members[s.owner]; !in {
				members++
			}
			fair := max(1, s.most/members)
			have = s.atMost(have, fair) // more than its fair part only while it is in use
			target = min(have, fair)
		}
		if r.Members == nil {
			r.Members = map[string]member{}
		}
		if have == 0 && !growing {
			delete(r.Members, s.owner)
			return true
		}
		wants = growing && have <= r.Members[s.owner].Have
		r.Members[s.owner] = member{Have: have, Wants: wants, UntilMs: now.Add(shareTTL).UnixMilli()}
		return true
	})
	if err != nil {
		return fmt.Errorf("share of calls: %w", err)
	}
	s.stale = wants
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have, s.target = have, target
	s.hand()
	return nil
}

// atMost lowers the share to fair, or to what is in use, before the record is written.
func (s *Share) atMost(have, fair int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	have = min(have, max(s.used, fair))
	s.have = min(s.have, have)
	return have
}
