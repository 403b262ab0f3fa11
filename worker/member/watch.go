// Watching: beats, pings, and the seal of a member that has been silent.

package member

import (
	"context"
	"errors"
	"sync"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// watcher is a fleet.Watch for many goroutines.
type watcher struct {
	mu    sync.Mutex // guards what follows
	watch *fleet.Watch
}

func newWatcher(o fleet.WatchOptions, now time.Duration) *watcher {
	return &watcher{watch: fleet.NewWatch(o, now)}
}

func (w *watcher) sign(m journal.Member, now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Sign(m, now)
}

func (w *watcher) mute(m journal.Member, now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Mute(m, now)
}

func (w *watcher) echo(now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Echo(now)
}

func (w *watcher) gone(m journal.Member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Gone(m)
}

func (w *watcher) sent(now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Sent(now)
}

func (w *watcher) acknowledged(sent, now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Sent(sent)
	w.watch.Acknowledged(now)
}

// gap says that something was missing: silence counts from zero again.
func (w *watcher) gap(now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Gap(now)
}

// look says which members this one may seal, mostSeals of them at most, whether it has to prove
// first that it can write, and which members to ping.
func (w *watcher) look(live []*fleet.Member, me journal.Member, ask, now time.Duration) (seal []*fleet.Member,
	prove bool, silent []journal.Member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch.Look(now)
	w.watch.Keep(live)
	for _, m := range live {
		if m.ID == me {
			continue
		}
		switch w.watch.Suspect(m.ID, now) {
		case fleet.Seal:
			if len(seal) < mostSeals {
				seal = append(seal, m)
			}
		case fleet.Prove:
			prove = true
		}
		if w.watch.Silent(m.ID, now) > ask {
			silent = append(silent, m.ID)
		}
	}
	return seal, prove, silent
}

// beats shows that the member is live, renews its lease by stored batches while a call is under
// way, and checks which members are silent, until ctx ends.
func (m *Member) beats(ctx context.Context) error {
	stop, err := m.o.Signs.Follow(func(of journal.Member) {
		now := m.now()
		if of == m.current.Load().id {
			m.watch.echo(now)
		} else {
			m.watch.sign(of, now)
		}
	})
	if err != nil {
		return err
	}
	defer stop()
	m.turned.Store(int64(m.now() + 1))
	beat, look := time.NewTicker(m.o.Beat), time.NewTicker(min(m.o.Beat*2/5, mostLook))
	defer beat.Stop()
	defer look.Stop()
	for {
		select {
		case <-beat.C:
			m.beat()
		case <-look.C:
			m.look(ctx)
			m.wakeForTold()
		case <-ctx.Done():
			return nil
		}
	}
}

// stuckAfter is how long the loop may not go round before the member counts as stuck. Seals of
// others hold it up for less.
const stuckAfter = 2 * sealTime

// Stuck is for how long the member's loop has not gone round, on which all that it decides waits;
// 0: it goes round, or does not run.
func (m *Member) Stuck() time.Duration {
	turned := m.turned.Load()
	if d := m.now() - time.Duration(turned); turned > 0 && d > stuckAfter {
		return d
	}
	return 0
}

// InFleet reports whether the process is a member whose join it has read, and that is not sealed as
// far as it knows.
func (m *Member) InFleet() bool { return m.inFleet.Load() }

func (m *Member) beat() {
	i := m.current.Load()
	if err := m.o.Signs.Beat(i.id); err != nil {
		m.watch.gap(m.now())
	}
	store := false
	m.loop.Do(func(f *flight.Flights, _ time.Duration) {
		// While the tail is being copied, a beat moves forward what would prevent purging.
		store = f.Open() > 0 || m.state.BeatDue(i.own, m.tail.below) || m.forgetDue()
	})
	if store {
		_ = i.writer.Beat(nil) // a writer that has ended needs none
	}
}

// look checks which members are silent, and seals those that have been silent for too long.
func (m *Member) look(ctx context.Context) {
	i := m.current.Load()
	var seals []journal.Sealing
	m.loop.Do(func(f *flight.Flights, now time.Duration) {
		m.turned.Store(int64(now))
		if m.oweNext > 0 && now >= m.oweNext {
			m.oweNext, m.unowed = 0, true
		}
		if m.unowed && now-m.owedAt > oweEvery {
			m.owedAt = now
			m.oweAll(f, now)
		}
		suspects, prove, silent := m.watch.look(m.state.Live(), i.id, m.o.Beat*3/2, now)
		m.ping(ctx, silent)
		if m.joinedAs != i.id {
			return // before it has read its own join, a member does not know which others are live
		}
		if prove {
			_ = i.writer.Beat(nil)
		}
		for _, of := range suspects {
			seals = append(seals, journal.Sealing{
				Of: of.ID, By: i.id, Number: of.Number, Position: of.Last, Read: m.state.Applied(),
				Why: "no sign of life",
			})
		}
	})
	m.sealAll(ctx, seals)
}

// How long there is between two looks at most, and how often one of them looks for duties that
// found no room.
const (
	mostLook = 200 * time.Millisecond
	oweEvery = 150 * time.Millisecond
)

// Seals of a look are written at once, so that ten workers of a machine that dies are replaced as
// soon as one: for how long they may take, and how many there are at most.
const (
	sealTime  = 2 * time.Second
	mostSeals = 32
)

func (m *Member) sealAll(ctx context.Context, seals []journal.Sealing) {
	ctx, cancel := context.WithTimeout(ctx, sealTime)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range seals {
		all.Go(func() { m.seal(ctx, s) })
	}
	all.Wait()
}

func (m *Member) seal(ctx context.Context, s journal.Sealing) {
	sealed, err := journal.SealOther(ctx, m.o.Log, s)
	switch {
	case err != nil && ctx.Err() == nil:
		m.log.Warn("silent member not sealed", "of", string(s.Of), "err", err)
	case sealed:
		m.log.Warn("silent member sealed: its keys are others' now", "of", string(s.Of))
	default:
		m.watch.sign(s.Of, m.now()) // it has written meanwhile
	}
}

// ping asks silent members whether they are there, each once at a time.
func (m *Member) ping(ctx context.Context, silent []journal.Member) {
	for _, of := range silent {
		if _, going := m.pinging.LoadOrStore(of, true); going {
			continue
		}
		m.fetching.Go(func() {
			defer m.pinging.Delete(of)
			ctx, cancel := context.WithTimeout(ctx, m.o.Beat)
			defer cancel()
			answered, mute := m.o.Signs.Ping(ctx, of)
			switch {
			case answered:
				m.watch.sign(of, m.now())
			case mute:
				m.watch.mute(of, m.now())
			}
		})
	}
}

var errOver = errors.New("member: the loop has ended")
