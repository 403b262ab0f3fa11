// A concurrency that holds over the fleet: each process holds a share of it, written in one shared
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

// Share lets at most so many calls be under way over all processes that share
// its record. Each process writes there how many it holds, for a while; it grows
// its share when it needs more, gives back what it does not use, and makes room
// for one that has too little. What a dead process held is free again when its
// time ends. Safe for concurrent use.
type Share struct {
	records Records
	name    string
	owner   string
	most    int
	clock   func() time.Time

	mu     sync.Mutex // guards what follows
	have   int        // of the fleet's calls, this process's share
	target int        // what it is to come down to; have when it need not
	used   int
	queue  []chan struct{} // who waits, each told once; bounded by the asks that a process takes in

	turn    chan struct{} // holds one token: one change of the record at a time
	refused time.Time     // when the whole was last found taken; the holder of the turn may use it
}

type shareRecord struct {
	Members map[string]member `json:"members"`
}

type member struct {
	Have    int   `json:"have"`
	Wants   bool  `json:"wants,omitempty"` // it has nothing free and waits
	UntilMs int64 `json:"until_ms"`        // unix ms
}

// How long a share is held without being renewed, and how often it is.
const (
	shareTTL   = 10 * time.Second
	ShareEvery = 250 * time.Millisecond
	shareRetry = 50 * time.Millisecond
)

// NewShare makes owner's share of most calls, by a clock that the fleet shares.
func NewShare(r Records, name, owner string, most int, clock func() time.Time) *Share {
	return &Share{records: r, name: name, owner: owner, most: most, clock: clock, turn: make(chan struct{}, 1)}
}

// Enter waits until a call may begin, in the order of coming, or until ctx ends.
// Call leave when the call has ended.
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

// forget takes a waiter out of the queue, or gives back what it was handed meanwhile.
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

// hand lets in as many as there is room for; the caller holds mu.
func (s *Share) hand() {
	for len(s.queue) > 0 && s.used < min(s.have, s.target) {
		s.used++
		s.queue[0] <- struct{}{}
		s.queue = s.queue[1:]
	}
}

// grow asks for more, a part of the whole at a time, when mine is the first to wait.
func (s *Share) grow(ctx context.Context, mine chan struct{}) error {
	s.mu.Lock()
	first := len(s.queue) > 0 && s.queue[0] == mine
	s.mu.Unlock()
	if !first {
		return nil
	}
	if err := acquire(ctx, s.turn); err != nil {
		return err
	}
	defer release(s.turn)
	s.mu.Lock()
	have, full := s.have, s.used >= min(s.have, s.target)
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

// Renew writes the share anew: what is not used is given back, and room is made
// for a process that waits while this one holds more than its part. Call it
// every ShareEvery.
func (s *Share) Renew(ctx context.Context) error {
	if err := acquire(ctx, s.turn); err != nil {
		return err
	}
	defer release(s.turn)
	s.mu.Lock()
	idle, used := s.have == 0 && s.used == 0, s.used
	s.mu.Unlock()
	if idle {
		return nil
	}
	return s.write(ctx, used, false)
}

// write sets this process's share to want, or to what the others leave of it.
func (s *Share) write(ctx context.Context, want int, growing bool) error {
	var have, target int
	// What is given back is given back here first: nobody may take it while the record says that it
	// is free.
	s.mu.Lock()
	if want < s.have {
		s.have = max(s.used, want)
		want = s.have
	}
	s.mu.Unlock()
	err := change(ctx, s.records, s.name, func(r *shareRecord) bool {
		now := s.clock()
		maps.DeleteFunc(r.Members, func(_ string, m member) bool {
			left := time.UnixMilli(m.UntilMs).Sub(now)
			return left <= 0 || left > 2*shareTTL // nobody writes that: the clock was set back
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
			have = s.atMost(have, fair) // more than its part only while it is in use
			target = min(have, fair)
		}
		if r.Members == nil {
			r.Members = map[string]member{}
		}
		if have == 0 && !growing {
			delete(r.Members, s.owner)
			return true
		}
		before := r.Members[s.owner]
		r.Members[s.owner] = member{Have: have, Wants: growing &&
			have <= before.Have, UntilMs: now.Add(shareTTL).UnixMilli()}
		return true
	})
	if err != nil {
		return fmt.Errorf("share of calls: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have, s.target = have, target
	s.hand()
	return nil
}

// atMost lowers the share to fair, or to what is in use, before the record says so.
func (s *Share) atMost(have, fair int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	have = min(have, max(s.used, fair))
	s.have = min(s.have, have)
	return have
}
