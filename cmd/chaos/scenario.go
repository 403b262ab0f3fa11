//go:build unix

// The scenarios: which harm is done, and what is allowed to come of it.

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// scenario is one kind of harm.
type scenario struct {
	name   string
	about  string
	plan   plan
	bounds bounds
	least  time.Duration // how long the load must last for the harm to be done
	root   bool          // only root can do it
	long   bool          // only in the long run, or when it is named
	// prepare is done before the house is built, tidy when it is razed; may be nil.
	prepare func(ctx context.Context, h *house) error
	tidy    func(h *house)
	// harm does it while the askers ask, for as long as given; everything is mended when it returns.
	harm func(ctx context.Context, h *house, long time.Duration) error
	// after looks at the house when all is quiet; may be nil.
	after func(ctx context.Context, h *house) error
	// witness adds to the testimony what a witness of this scenario alone saw; may be nil.
	witness func(ctx context.Context, h *house, t *testimony) error
	// alone does everything itself, with a house that is not built and no askers, and judges itself; instead of harm.
	alone func(ctx context.Context, h *house) (verdict, error)
}

// recovery is the bound on the p99 from a worker's death to the answers of those who waited.
const recovery = max(lease, ackWait) + 4*time.Second

// cooldown is how long a key rests that has no answer, as the workers are told.
const cooldown = 2 * time.Second

func scenarios() []scenario {
	lost := bounds{Excused: true, Recovery: recovery}
	return append([]scenario{
		recorded(scenario{name: "kills", about: "kill -9 of a worker at random", bounds: lost, harm: kills}),
		{name: "fail", about: "the same, with after_crash: fail", plan: plan{Worker: []string{"--after-crash", "fail"}, Doors: "submit"}, bounds: bounds{Unknown: true, Recovery: recovery}, harm: kills},
		{name: "steps", about: "kill -9 at each step of a run", plan: plan{Armed: true}, bounds: lost, least: 20 * time.Second, harm: steps},
		{name: "freezes", about: "SIGSTOP past the lease, then SIGCONT", bounds: bounds{Excused: true, Thawed: true, Recovery: recovery}, least: 12 * time.Second, harm: freezes},
		{name: "fence", about: "SIGSTOP between claim and call", plan: plan{Armed: true}, bounds: lost, least: 14 * time.Second, harm: fence},
		{name: "rolling", about: "SIGTERM, one worker after the other", harm: rolling},
		{name: "server", about: "kill -9 of the one NATS server, away for less and more than a lease", least: 16 * time.Second, harm: serverDeaths},
		{name: "cluster", about: "kill -9 of each of three NATS servers", plan: plan{Servers: 3}, least: 12 * time.Second, harm: serverDeaths},
		{name: "partition", about: "a worker cut off from NATS past its lease", plan: plan{Cuttable: true}, bounds: lost, least: 14 * time.Second, harm: partition},
		recorded(scenario{name: "gateway", about: "the gateway away, then only failing, then lying", plan: plan{Proxied: true}, bounds: bounds{Excused: true, Failing: true, Unknown: true, Back: time.Minute, Load: &loadBounds{Cooldown: cooldown, Workers: 3}}, least: 12 * time.Second, harm: gatewayTrouble}),
		{name: "wiped", about: "streams deleted and provisioned again", bounds: bounds{Wiped: true}, least: 12 * time.Second, harm: wipe, after: askAgain},
		hostileScenario(),
		{name: "poison", about: "a key that kills whoever touches it", plan: plan{Armed: true, Workers: -1, Rate: 0.5, Keys: 0.01}, bounds: bounds{Excused: true, Unknown: true}, harm: poison, after: buried},
		outageScenario(),
		slowScenario(),
		lyingScenario(),
		shuffledScenario(),
		manyScenario(),
	}, append(networkScenarios(), diskScenarios()...)...)
}

// victim is a place among the workers, by the seed.
func (h *house) victim() int { return h.rng.IntN(len(h.workers)) }

// kills ends a worker every second or two and puts another in its place.
func kills(ctx context.Context, h *house, long time.Duration) error {
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := pause(ctx, time.Duration(800+h.rng.IntN(1600))*time.Millisecond); err != nil {
			return err
		}
		i := h.victim()
		h.did(killed, h.workers[i].name)
		h.workers[i].kill()
		if err := h.work(ctx, i, ""); err != nil {
			return err
		}
	}
	return nil
}

// stepNames are the failpoints, in the order of a run.
var stepNames = []string{"before-claim", "after-claim", "after-send", "after-answer", "after-store", "after-reply", "before-ack"}

// steps lets one worker after the other die at a step.
func steps(ctx context.Context, h *house, long time.Duration) error {
	every := long / time.Duration(len(stepNames)+2)
	for _, at := range h.rng.Perm(len(stepNames)) {
		next := time.Now().Add(every)
		i := h.victim()
		step := fmt.Sprintf("%s:%d", stepNames[at], 1+h.rng.IntN(4))
		h.workers[i].signal(syscall.SIGTERM) // the armed one takes its place
		if _, err := h.workers[i].end(20 * time.Second); err != nil {
			return err
		}
		if err := h.work(ctx, i, step); err != nil {
			return err
		}
		p := h.workers[i]
		if err := eventually(ctx, 15*time.Second, p.name+" dies at "+step, func() bool { return !p.alive() }); err != nil {
			return err
		}
		h.did(killed, p.name+" at "+step)
		if err := h.work(ctx, i, ""); err != nil {
			return err
		}
		if err := pause(ctx, time.Until(next)); err != nil {
			return err
		}
	}
	return nil
}

// freezes stops a worker for longer than its lease and the grace, again and again.
func freezes(ctx context.Context, h *house, long time.Duration) error {
	for end := time.Now().Add(long - 4*time.Second); time.Now().Before(end); {
		if err := pause(ctx, time.Duration(500+h.rng.IntN(500))*time.Millisecond); err != nil {
			return err
		}
		p := h.workers[h.victim()]
		n := h.did(stopped, p.name)
		p.signal(syscall.SIGSTOP)
		if err := pause(ctx, lease+3*time.Second); err != nil {
			return err
		}
		h.mended(n)
		p.signal(syscall.SIGCONT)
	}
	return nil
}

// fence stops workers that have claimed a key and not asked: when they wake another has the answer, and they must not ask.
func fence(ctx context.Context, h *house, long time.Duration) error {
	for end := time.Now().Add(long - 4*time.Second); time.Now().Before(end); {
		i := h.victim()
		h.workers[i].signal(syscall.SIGTERM)
		if _, err := h.workers[i].end(20 * time.Second); err != nil {
			return err
		}
		if err := h.work(ctx, i, fmt.Sprintf("after-claim:%d:stop", 1+h.rng.IntN(4))); err != nil {
			return err
		}
		p := h.workers[i]
		if err := eventually(ctx, 15*time.Second, p.name+" stops after a claim", func() bool { return stoppedNow(p) }); err != nil {
			return err
		}
		n := h.did(stopped, p.name)
		if err := pause(ctx, lease+3*time.Second); err != nil {
			return err
		}
		h.mended(n)
		p.signal(syscall.SIGCONT)
	}
	return nil
}

// rolling replaces one worker after the other, as a deployment does: the new one is there before the old one goes.
func rolling(ctx context.Context, h *house, long time.Duration) error {
	for end := time.Now().Add(long); time.Now().Before(end); {
		for i := range h.workers {
			old := h.workers[i]
			if err := h.work(ctx, i, ""); err != nil {
				return err
			}
			p := h.workers[i]
			if err := eventually(ctx, 20*time.Second, p.name+" ready", func() bool { return p.said(`"worker ready"`) }); err != nil {
				return err
			}
			h.did(termed, old.name)
			old.signal(syscall.SIGTERM)
			if code, err := old.end(20 * time.Second); err != nil || code != 0 {
				h.amiss("%s ended with %d after SIGTERM (%v)", old.name, code, err)
			}
			if err := pause(ctx, 500*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// serverDeaths kills one NATS server after the other. Each comes back, sometimes before a lease has passed, sometimes after.
func serverDeaths(ctx context.Context, h *house, long time.Duration) error {
	away := []time.Duration{500 * time.Millisecond, lease + 1500*time.Millisecond, 2 * time.Second}
	end := time.Now().Add(long)
	for n := 0; n < len(h.cluster.servers) || time.Now().Before(end); n++ {
		if err := pause(ctx, time.Duration(2500+h.rng.IntN(1000))*time.Millisecond); err != nil {
			return err
		}
		s := h.cluster.servers[n%len(h.cluster.servers)]
		at := h.did(downed, s.name)
		s.running.kill()
		if err := pause(ctx, away[n%len(away)]); err != nil {
			return err
		}
		if err := h.cluster.start(ctx, s); err != nil {
			return err
		}
		h.mended(at)
	}
	return nil
}

// partition cuts the first worker off from NATS, for less than a lease and for more.
func partition(ctx context.Context, h *house, long time.Duration) error {
	away := []time.Duration{time.Second, lease + 3*time.Second}
	end := time.Now().Add(long - 3*time.Second)
	for n := 0; time.Now().Before(end); n++ {
		if err := pause(ctx, time.Duration(800+h.rng.IntN(700))*time.Millisecond); err != nil {
			return err
		}
		at := h.did(cutOff, h.workers[0].name)
		h.line.sever()
		if err := pause(ctx, away[n%len(away)]); err != nil {
			return err
		}
		h.line.heal()
		h.mended(at)
	}
	return nil
}
