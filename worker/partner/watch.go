// How a Gate follows the fleet: it watches halts, reads them now and then, and renews its shares.

package partner

import (
	"context"
	"errors"
	"strings"
	"time"

	"protocolq/worker/limit"
	"protocolq/worker/record"
)

const (
	longestRead  = 5 * time.Second // for all partners' records
	refreshEvery = 20              // renewals of shares between two reads
)

// Watch reads the halts, and applies changes until stop is called. Halts that cannot be read yet
// are logged, and read by Run.
func (g *Gate) Watch(ctx context.Context) (stop func(), err error) {
	stop, err = g.o.Records.Watch("*."+HaltRecord, func(r record.Record, err error) {
		if err != nil {
			g.o.Logger.Error("halt record not read", "err", err)
			return
		}
		partner, _, _ := strings.Cut(r.Name, ".")
		if g.breakers[partner] != nil {
			g.learn(partner, r, func(b *Breaker, h Halt) bool { return b.Learn(h, r.Seq) })
		}
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	if err := g.refresh(ctx); err != nil {
		g.o.Logger.Warn("halts not read yet", "err", err)
	}
	return stop, nil
}

// refresh reads the halts of all partners.
func (g *Gate) refresh(ctx context.Context) error {
	var faults []error
	for p, b := range g.breakers {
		g.mu.Lock()
		before := b.Seq()
		g.mu.Unlock()
		r, err := g.o.Records.Get(ctx, nameOf(p))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		g.learn(p, r, func(b *Breaker, h Halt) bool { return b.LearnSince(before, h, r.Seq) })
		faults = append(faults, g.mend(ctx, p, r))
	}
	return errors.Join(faults...)
}

// Run renews the shares of calls until ctx ends. It also reads the halts now and then, in case a
// change was missed.
func (g *Gate) Run(ctx context.Context) error {
	every, refresh := limit.ShareEvery, refreshEvery
	if len(g.shares) == 0 {
		every, refresh = every*refreshEvery, 1
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		g.tend(ctx, n%refresh == 0)
	}
}

// leaveTime bounds how long Leave takes: after it the shares end by themselves.
const leaveTime = time.Second

// Leave gives back the shares of calls that are not in use: this process makes no new calls. Other
// processes would otherwise wait until the shares end.
func (g *Gate) Leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	for p, s := range g.shares {
		if err := s.Leave(ctx); err != nil {
			g.warn("share of calls not given back", "partner", p, "err", err)
		}
	}
}

func (g *Gate) tend(ctx context.Context, refresh bool) {
	within, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	for p, s := range g.shares {
		if err := s.Renew(within); err != nil && ctx.Err() == nil {
			g.warn("share of calls not renewed", "partner", p, "err", err)
		}
	}
	if refresh {
		if err := g.refresh(within); err != nil && ctx.Err() == nil {
			g.warn("halts not read", "err", err)
		}
	}
}

// unknownFor is how long a process that knows of no halt leaves an unreadable one to processes that
// know it.
const unknownFor = time.Minute

// mend overwrites an unreadable halt with what this process knows of the partner. Otherwise it
// would be read again and again, and a new process would know of no halt.
func (g *Gate) mend(ctx context.Context, partner string, r record.Record) error {
	_, err := decodeHalt(r.Data)
	if err == nil {
		return nil
	}
	g.mu.Lock()
	known, seq := g.breakers[partner].halt, g.breakers[partner].seq
	g.mu.Unlock()
	if !known.Halted && known.By == "" {
		known.By = g.o.Owner // no operator resumes it here
	}
	now, patience := time.Now(), time.Duration(0)
	if seq == 0 {
		patience = unknownFor
	}
	if now.Sub(r.Time).Abs() < patience || r.Left(err, now.Add(-patience)) {
		return nil
	}
	if err := g.write(ctx, partner, &Write{Halt: known, Seq: r.Seq}); !errors.Is(err, record.ErrConflict) {
		return err
	}
	return nil // another process has done it
}

// learn reads a halt record and applies it. An unreadable record changes nothing here.
func (g *Gate) learn(partner string, r record.Record, learn func(*Breaker, Halt) (turned bool)) {
	h, err := decodeHalt(r.Data)
	if err != nil {
		g.o.Foreign(r.Name, err)
		return
	}
	g.take(partner, h, func(b *Breaker) bool { return learn(b, h) })
}
