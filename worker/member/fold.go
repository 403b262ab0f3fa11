// Folding: the log is found, joined, read and written into. A new fold begins whenever what was
// read is void.

package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/pause"
)

// live reads the log and writes into it. A new fold begins whenever what was read is void.
func (m *Member) live(ctx context.Context) error {
	var quiet time.Time
	last := ""
	for tries := 0; ; tries++ {
		err := m.follow(ctx, quiet)
		m.inFleet.Store(false)
		if errors.Is(err, errLeft) {
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, journal.ErrNewer) || errors.Is(err, journal.ErrSmall) {
			return err
		}
		if m.isLeaving() {
			return nil // others seal the member
		}
		wait, hint := backoff(tries), "it may have been purged, deleted or restored"
		if isHole(err) && err.Error() == last { // a purge would have gone on meanwhile
			wait, hint = holeWait, holeHint
		}
		last = err.Error()
		m.log.Error("the fold of the journal is void, and read anew", "err", err, "hint", hint)
		if errors.Is(err, journal.ErrRewound) { // a member whose begin is lost may still call
			quiet = time.Now().Add(m.o.Fleet.Lease)
		}
		if !m.pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// isHole reports whether a batch is missing where it was to be read.
func isHole(err error) bool { return errors.Is(err, journal.ErrPurged) || errors.Is(err, fleet.ErrGap) }

// A hole in the middle of the log stays until a person does something about it.
const (
	holeWait = 30 * time.Second
	holeHint = "a batch is missing in the middle of the log, as after damage to a disk: stop all workers, and " +
		"restore the stream or nats stream purge --seq=POSITION, that of the batch behind it (deploy/docs/backup.md)"
)

// backoff is the wait before the nth try.
func backoff(n int) time.Duration { return min(100*time.Millisecond<<min(n, 6), 5*time.Second) }

// follow runs one fold: it ends when the fold is void, or the member has left.
func (m *Member) follow(ctx context.Context, quiet time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first, limit, err := m.lookAtLog(ctx)
	if errors.Is(err, errLeft) {
		return ctx.Err() // it was not a member yet, so it needs no seal
	}
	if err != nil {
		return err
	}
	i, err := m.newIncarnation(limit, quiet)
	if err != nil {
		return err
	}
	m.texts.forget()
	m.answers.Clear()
	m.refold(fleet.New(m.o.Fleet, first))
	m.enter(i)
	joined := make(chan error, 1)
	if err := i.writer.Beat(func(err error) { joined <- err }); err != nil {
		return err
	}
	parts, within := errgroup.WithContext(ctx)
	wrote := make(chan struct{})
	parts.Go(func() error {
		defer close(wrote)
		return m.write(within, i, limit)
	})
	var unread error // why the log is not read on, although it can be written into
	parts.Go(func() error {
		err := m.readAs(within, i, first, joined)
		switch {
		case errors.Is(err, journal.ErrNewer):
			unread = err
			m.leaveUnread(within, wrote)
		case isHole(err):
			unread = err
			m.sealUnread(within, wrote)
		}
		return err
	})
	err = parts.Wait()
	switch {
	case unread != nil:
		return unread
	case errors.Is(err, errLeft):
		return nil
	}
	return err
}

// readAs reads the log once the member has joined.
func (m *Member) readAs(ctx context.Context, i *incarnation, first uint64, joined <-chan error) error {
	select {
	case err := <-joined:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return m.read(ctx, i, first)
}

var errLeft = errors.New("member: left the fleet")

// refold begins a fold.
func (m *Member) refold(s *fleet.State) {
	m.loop.Do(func(*flight.Flights, time.Duration) {
		m.stateMu.Lock()
		m.state = s
		m.stateMu.Unlock()
		m.runs, m.tail, m.forgetUpTo = newRuns(), tail{}, 0
		// What was owed is published nevertheless, but places in the log now mean other entries.
		clear(m.stages)
		m.corrupt, m.unread = nil, nil
		m.o.Duties.Disown()
		m.mu.Lock()
		m.told = nil
		m.mu.Unlock()
		m.joinedAs = ""
	})
	m.void.Store(false)
}

// enter goes on as another member, which leaves at once if the process was told to leave meanwhile.
func (m *Member) enter(i *incarnation) {
	m.loop.Do(func(*flight.Flights, time.Duration) {
		m.current.Store(i)
		for _, st := range m.stages {
			st.given = false // its told entry may have been lost with the former member
		}
		m.unowed = true
		m.loop.Rejoin(m.state, i.own, i.forFlights())
	})
	m.appendKept()
	if m.isLeaving() {
		m.sealSelf()
	}
}

// lookAtLog waits until the log exists, and returns where it begins and how long a batch may be. A
// member that leaves meanwhile has nothing to seal.
func (m *Member) lookAtLog(ctx context.Context) (first uint64, limit int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(m.leaving, func() { stop(errLeft) })()
	for tries := 0; ; tries++ {
		within, cancel := context.WithTimeout(ctx, fetchTime)
		asked := time.Now()
		st, err := m.o.Log.State(within)
		if err == nil {
			if !st.Time.IsZero() {
				m.o.Time(st.Time, asked.Add(time.Since(asked)/2))
			}
			limit, err = m.o.Log.Limit(within)
		}
		cancel()
		if err == nil {
			m.fill.Store(int64(st.Fill() * 1000))
			return st.First, limit, nil
		}
		if ctx.Err() != nil {
			return 0, 0, context.Cause(ctx)
		}
		if errors.Is(err, journal.ErrSmall) {
			return 0, 0, err
		}
		hint := "is the NATS server up, and has this user its rights?"
		if errors.Is(err, journal.ErrNoLog) {
			hint = "run protocolq provision"
		}
		m.log.Warn("the journal is not there yet", "err", err, "retry_in", backoff(tries).String(), "hint", hint)
		if !m.pause(ctx, backoff(tries)) {
			return 0, 0, errors.Join(ctx.Err(), errLeft)
		}
	}
}

// limitNow is how long a batch may be now, because settings change; it is before if that is not
// known. An error says that the log no longer works.
func (m *Member) limitNow(ctx context.Context, before int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	switch limit, err := m.o.Log.Limit(ctx); {
	case err == nil:
		return limit, nil
	case errors.Is(err, journal.ErrSmall):
		return 0, err
	}
	return before, nil
}

// read applies the log from its first batch on. The age of what was stored before the own join is
// measured by the server's clock or by the own one.
func (m *Member) read(ctx context.Context, i *incarnation, first uint64) error {
	begun := time.Now()
	last, err := m.last(ctx, i.id)
	for tries := 0; err != nil; tries++ {
		if tries%8 == 0 { // about once in 40 s
			m.log.Warn("own last batch not read, tried again", "tries", tries+1, "err", err, "hint",
				"has this user its rights?")
		}
		if pause.For(ctx, backoff(tries)) != nil {
			return ctx.Err()
		}
		last, err = m.last(ctx, i.id)
	}
	if last.Position < first {
		return fmt.Errorf("%w: it began at %d, and the join lies at %d", journal.ErrRewound, first, last.Position)
	}
	m.loop.Do(func(*flight.Flights, time.Duration) {
		m.replay.until, m.replay.ahead, m.level = last.Position, time.Until(last.Stored), begun
	})
	r, err := journal.NewReader(journal.ReaderOptions{Source: m.o.Log, Leader: m.o.Log, After: first - 1,
		Apply: m.apply, Logger: m.log})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

func (m *Member) last(ctx context.Context, id journal.Member) (journal.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	return m.o.Log.Last(ctx, id)
}

// write writes as one member after the other, until the log is replaced or the process has left.
func (m *Member) write(ctx context.Context, i *incarnation, limit int) error {
	for tries := 0; ; tries++ {
		stop, err := m.o.Signs.Serve(i.id, func() bool { return m.Stuck() == 0 })
		if err != nil {
			return err
		}
		begun := time.Now()
		err = i.run(ctx)
		stop()
		i.lost()
		m.inFleet.Store(false)
		switch {
		case err == nil || m.isLeaving():
			return errLeft
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, journal.ErrRewound):
			return err
		}
		if time.Since(begun) > time.Minute {
			tries = 0
		}
		m.rejoins.Add(1)
		m.log.Warn("no member any more, joining again", "was", string(i.id), "err", err)
		if !m.pause(ctx, backoff(tries)) {
			return errors.Join(ctx.Err(), errLeft)
		}
		if limit, err = m.limitNow(ctx, limit); err != nil {
			return err
		}
		if i, err = m.newIncarnation(limit, i.quiet); err != nil {
			return err
		}
		m.enter(i)
		if err := i.writer.Beat(nil); err != nil {
			return err
		}
	}
}
