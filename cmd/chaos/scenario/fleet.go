//go:build unix

// Harm to the fleet as a whole: workers that start and stop, a server that stands still, workers
// and servers dead at once, everything away, and a journal that is restored to an older state.

package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// fleetScenarios are those in which more than one worker is harmed.
func fleetScenarios(p verdict.Pace) []Scenario {
	lost := verdict.Bounds{Excused: true}
	rest := testbed.Plan{Settle: p.Settle + p.Away}
	return []Scenario{
		recorded(Scenario{Name: "joins", About: "workers join and leave under load, by SIGTERM and by kill -9",
			bounds: verdict.Bounds{Excused: true, Recovery: p.Recovery}, least: 14 * time.Second, harm: joins}),
		{Name: "hung", About: "the NATS server that leads stands still past the lease, then another",
			plan: testbed.Plan{Servers: 3}, bounds: lost, least: 2*p.Silence() + 6*time.Second, harm: hangs},
		{Name: "both", About: "kill -9 of a worker and of the one NATS server at once", bounds: lost,
			least: 16 * time.Second, harm: bothDeaths},
		{Name: "everyone", About: "workers, server and recorder all dead for " + p.Away.String(),
			// after minutes, nobody waits any more, and message ids are forgotten
			bounds: verdict.Bounds{Excused: true, Repeats: p.Away > 2*time.Minute, Late: p.Away > 2*time.Minute},
			plan:   rest, least: 8 * time.Second, harm: everyoneAway},
		{Name: "restored", About: "the journal put back as it was some seconds before",
			bounds: verdict.Bounds{Wiped: true, Excused: true}, least: 12*time.Second + p.Lease,
			harm: restoreOlder, after: askAgain},
	}
}

// joins adds workers and stops others.
func joins(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	const least, most = 2, 6
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := testbed.Pause(ctx, time.Duration(500+h.Rand.IntN(900))*time.Millisecond); err != nil {
			return err
		}
		roll := h.Rand.IntN(4)
		if n := len(h.Fleet); n <= least || n < most && roll < 2 {
			if err := h.Work(ctx, n, ""); err != nil {
				return err
			}
			h.Inject(verdict.Joined, h.Fleet[n].Name)
			continue
		}
		i := h.Victim()
		p := h.Fleet[i]
		if roll == 2 {
			h.Inject(verdict.Killed, p.Name)
			p.Kill()
		} else {
			h.Inject(verdict.Termed, p.Name)
			p.Signal(syscall.SIGTERM)
			if code, err := p.End(20 * time.Second); err != nil || code != 0 {
				h.Violation("%s ended with %d after SIGTERM (%v)", p.Name, code, err)
			}
		}
		h.Inspect(p)
		h.Fleet = slices.Delete(h.Fleet, i, i+1)
	}
	return nil
}

// hangs stops servers, with all their connections open, and continues them.
func hangs(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	for end, n := time.Now().Add(long), 0; n < 2 || time.Now().Before(end); n++ {
		if err := testbed.Pause(ctx, time.Duration(1500+h.Rand.IntN(1000))*time.Millisecond); err != nil {
			return err
		}
		i, err := h.Leader(ctx)
		if err != nil {
			return err
		}
		if n%2 == 1 {
			i = (i + 1) % len(h.Cluster.Servers)
		}
		s := h.Cluster.Servers[i]
		at := h.Inject(verdict.Hung, s.Name)
		s.Running.Signal(syscall.SIGSTOP)
		err = testbed.Pause(ctx, h.Pace.Silence())
		s.Running.Signal(syscall.SIGCONT)
		h.Recover(at)
		if err := errors.Join(err, h.Cure(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// bothDeaths kills the server and a worker at the same time; the worker is back before the server.
func bothDeaths(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	away := []time.Duration{time.Second, h.Pace.Lease + 2*time.Second}
	for end, n := time.Now().Add(long-4*time.Second), 0; n < 2 || time.Now().Before(end); n++ {
		if err := testbed.Pause(ctx, time.Duration(2000+h.Rand.IntN(1500))*time.Millisecond); err != nil {
			return err
		}
		i, s := h.Victim(), h.Cluster.Servers[0]
		p := h.Fleet[i]
		at := h.Inject(verdict.Downed, s.Name)
		h.Inject(verdict.Killed, p.Name)
		s.Running.Signal(syscall.SIGKILL)
		p.Kill()
		s.Running.Kill()
		if err := errors.Join(h.Work(ctx, i, ""), testbed.Pause(ctx, away[n%len(away)]),
			h.Cluster.Start(ctx, s)); err != nil {
			return err
		}
		h.Recover(at)
	}
	return nil
}

// everyoneAway kills all processes that store, ask and record, and starts them again when no memory
// of the questions is left.
func everyoneAway(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	if err := testbed.Pause(ctx, long); err != nil {
		return err
	}
	at := h.Inject(verdict.Absent, "everyone")
	dying := append([]*testbed.Process{h.Recorder.Running}, h.Fleet...)
	for _, s := range h.Cluster.Servers {
		dying = append(dying, s.Running)
	}
	for _, p := range h.Fleet {
		h.Inject(verdict.Killed, p.Name)
	}
	for _, p := range dying {
		p.Signal(syscall.SIGKILL)
	}
	for _, p := range dying {
		p.Kill()
	}
	if err := errors.Join(testbed.Pause(ctx, h.Pace.Away), h.Cluster.Up(ctx), h.Recorder.Start(ctx, h)); err != nil {
		return err
	}
	for i := range h.Fleet {
		if err := h.Work(ctx, i, ""); err != nil {
			return err
		}
	}
	h.Recover(at)
	return errors.Join(h.Ready(ctx), h.Crowd(ctx, "after", 1, h.Keys/2, 4*time.Second),
		testbed.Pause(ctx, 4*time.Second))
}

// restoreOlder keeps a copy of the journal's files, and later puts it in their place.
func restoreOlder(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	s := h.Cluster.Servers[0]
	files := filepath.Join(h.Store, s.Name, "jetstream", "$G", "streams", h.Observer.Names.Stream(messages.Journal))
	kept := filepath.Join(h.Dir, "kept")
	each := (long - h.Pace.Lease) / 3
	if err := testbed.Pause(ctx, each); err != nil {
		return err
	}
	at := h.Inject(verdict.Downed, s.Name+", its journal copied")
	s.Running.Kill()
	if err := errors.Join(os.CopyFS(kept, os.DirFS(files)), h.Cluster.Start(ctx, s)); err != nil {
		return fmt.Errorf("keep the journal: %w", err)
	}
	h.Recover(at)
	if err := testbed.Pause(ctx, each); err != nil {
		return err
	}
	at = h.Inject(verdict.Restored, string(messages.Journal))
	s.Running.Kill()
	h.Observer.Journal.Renew()
	if err := errors.Join(os.RemoveAll(files), os.CopyFS(files, os.DirFS(kept)), h.Cluster.Start(ctx, s)); err != nil {
		return fmt.Errorf("put the journal back: %w", err)
	}
	h.Recover(at)
	return testbed.Pause(ctx, each+h.Pace.Lease)
}
