//go:build unix

// The scenarios: which harm each does, and which results it allows.

package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

// Choose finds scenarios by their names. Without names it takes all, but scenarios of the long run
// only in the long run.
func Choose(p verdict.Pace, names string, long bool) (list []Scenario, err error) {
	if names == "" {
		return slices.DeleteFunc(All(p), func(s Scenario) bool { return s.long && !long }), nil
	}
	known := map[string]Scenario{}
	for _, s := range All(p) {
		known[s.Name] = s
	}
	for _, name := range strings.Split(names, ",") {
		s, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("there is no scenario %q; -h lists them", name)
		}
		list = append(list, s)
	}
	return list, nil
}

// recorded kills the recorder of a scenario halfway and starts it again.
func recorded(s Scenario) Scenario {
	harm := s.harm
	s.harm = func(ctx context.Context, h *testbed.Bed, long time.Duration) error {
		again := make(chan error, 1)
		go func() { again <- h.Recorder.DieOnce(ctx, h, long/2) }()
		err := harm(ctx, h, long)
		return errors.Join(err, <-again)
	}
	return s
}

// Scenario is one kind of harm.
type Scenario struct {
	Name   string
	About  string
	plan   testbed.Plan
	bounds verdict.Bounds
	least  time.Duration // minimum duration of the load for the harm
	Root   bool          // only root can do it
	long   bool          // only in the long run, or when named
	// prepare runs before the test bed is built, tidy after its teardown; may be nil.
	prepare func(ctx context.Context, h *testbed.Bed) error
	tidy    func(h *testbed.Bed)
	// harm does the harm while the askers ask, for the given time; everything is recovered when it
	// returns.
	harm func(ctx context.Context, h *testbed.Bed, long time.Duration) error
	// after inspects the test bed when all is quiet; may be nil.
	after func(ctx context.Context, h *testbed.Bed) error
	// observe adds evidence that only this scenario gathers; may be nil.
	observe func(ctx context.Context, h *testbed.Bed, t *verdict.Evidence) error
	// alone does everything itself, without a built test bed and askers, and judges itself; instead of
	// harm.
	alone func(ctx context.Context, h *testbed.Bed) (verdict.Verdict, error)
}

// All are the scenarios, with the times and bounds of a pace.
func All(p verdict.Pace) []Scenario {
	lost := verdict.Bounds{Excused: true, Recovery: p.Recovery}
	return append([]Scenario{
		recorded(Scenario{Name: "kills", About: "kill -9 of a worker at random", bounds: lost, harm: kills}),
		{Name: "fail", About: "the same at both doors, with after_crash: fail: no call twice, and CRASHED stays so",
			plan:   testbed.Plan{Worker: []string{"--after-crash", "fail"}},
			bounds: verdict.Bounds{Final: true, Unknown: true, Recovery: p.Recovery}, harm: kills},
		{Name: "steps", About: "kill -9 at each step of a run", plan: testbed.Plan{Armed: true}, bounds: lost,
			least: 20 * time.Second, harm: steps},
		{Name: "freezes", About: "SIGSTOP past the lease, then SIGCONT",
			bounds: verdict.Bounds{Excused: true, Thawed: true, Recovery: p.Recovery},
			least:  2*p.Silence() + 5*time.Second, harm: freezes},
		{Name: "fence", About: "SIGSTOP between begin and call", plan: testbed.Plan{Armed: true}, bounds: lost,
			least: 2*p.Silence() + 8*time.Second, harm: fence(p.Silence())},
		aloneScenario(),
		{Name: "rolling", About: "SIGTERM, one worker after the other", harm: rolling},
		{Name: "server", About: "kill -9 of the one NATS server, away for less and more than a lease",
			least: 16 * time.Second, harm: serverDeaths},
		{Name: "cluster", About: "kill -9 of each of three NATS servers", plan: testbed.Plan{Servers: 3},
			least: 12 * time.Second, harm: serverDeaths},
		{Name: "partition", About: "a worker cut off from NATS past its lease", plan: testbed.Plan{Cuttable: true},
			bounds: lost, least: 14 * time.Second, harm: partition},
		recorded(Scenario{Name: "gateway", About: "the gateway away, then only failing, then lying",
			plan: testbed.Plan{Proxied: true}, bounds: verdict.Bounds{Excused: true, Failing: true, Unknown: true,
				Back: time.Minute, Load: &verdict.LoadBounds{Cooldown: p.Cooldown, Workers: 3}},
			least: 12 * time.Second,
			harm:  gatewayTrouble}),
		{Name: "wiped", About: "streams deleted and provisioned again", bounds: verdict.Bounds{Wiped: true},
			least: 12 * time.Second, harm: wipe, after: askAgain},
		hostileScenario(),
		{Name: "poison", About: "a key that kills whoever touches it",
			plan:   testbed.Plan{Armed: true, Workers: -1, Rate: 0.5, Keys: 0.01},
			bounds: verdict.Bounds{Excused: true, Unknown: true}, harm: poison, after: poisoned},
		outageScenario(p),
		slowScenario(p),
		lyingScenario(),
		shuffledScenario(),
		manyScenario(),
	}, slices.Concat(networkScenarios(p), fleetScenarios(p), streamScenarios(), loadScenarios(p), clockScenarios(),
		diskScenarios())...)
}

// kills kills a worker every second or two and starts another in its place.
func kills(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := testbed.Pause(ctx, time.Duration(800+h.Rand.IntN(1600))*time.Millisecond); err != nil {
			return err
		}
		if err := replace(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// replace kills a worker and starts another in its place.
func replace(ctx context.Context, h *testbed.Bed) error {
	i := h.Victim()
	h.Inject(verdict.Killed, h.Fleet[i].Name)
	h.Fleet[i].Kill()
	return h.Work(ctx, i, "")
}

// stepNames are the failpoints, in the order of a run.
var stepNames = []string{"before-begin", "after-begin", "after-send", "after-answer", "after-store", "after-reply",
	"before-told", "before-ack"}

// steps lets one worker after another die at a step.
func steps(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	every := long / time.Duration(len(stepNames)+2)
	for _, at := range h.Rand.Perm(len(stepNames)) {
		next := time.Now().Add(every)
		i := h.Victim()
		step := fmt.Sprintf("%s:%d", stepNames[at], 1+h.Rand.IntN(4))
		h.Fleet[i].Signal(syscall.SIGTERM) // the armed one takes its place
		if _, err := h.Fleet[i].End(20 * time.Second); err != nil {
			return err
		}
		if err := h.Work(ctx, i, step); err != nil {
			return err
		}
		p := h.Fleet[i]
		if err := testbed.Eventually(ctx, 15*time.Second, p.Name+" dies at "+step,
			func() bool { return !p.Alive() }); err != nil {
			return err
		}
		h.Inject(verdict.Killed, p.Name+" at "+step)
		if err := h.Work(ctx, i, ""); err != nil {
			return err
		}
		if err := testbed.Pause(ctx, time.Until(next)); err != nil {
			return err
		}
	}
	return nil
}

// freezes stops a worker for longer than its lease and the grace, again and again.
func freezes(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	for end := time.Now().Add(long - 4*time.Second); time.Now().Before(end); {
		if err := testbed.Pause(ctx, time.Duration(500+h.Rand.IntN(500))*time.Millisecond); err != nil {
			return err
		}
		p := h.Fleet[h.Victim()]
		n := h.Inject(verdict.Stopped, p.Name)
		p.Signal(syscall.SIGSTOP)
		if err := testbed.Pause(ctx, h.Pace.Silence()); err != nil {
			return err
		}
		h.Recover(n)
		p.Signal(syscall.SIGCONT)
	}
	return nil
}

// aloneScenario stops the only worker, which no other can seal, at the fence: longer than a call
// may still begin (2 s of this lease), and not longer than the call's own time-out, which would end
// it.
func aloneScenario() Scenario {
	return Scenario{Name: "alone", About: "SIGSTOP between begin and call of the only worker, which nobody seals",
		plan:   testbed.Plan{Armed: true, Workers: 1, Worker: []string{"--lease", "8s", "--call-timeout", "5s"}},
		bounds: verdict.Bounds{Excused: true}, least: 18 * time.Second, harm: fence(3200 * time.Millisecond)}
}

// fence stops workers that have begun a key and not called yet: when they wake another has the
// answer, and they must not call. The first is stopped at the first check of the fence, before the
// call has a time-out that would end it, too.
func fence(away time.Duration) func(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	return func(ctx context.Context, h *testbed.Bed, long time.Duration) error {
		return stopAtTheFence(ctx, h, long, away)
	}
}

func stopAtTheFence(ctx context.Context, h *testbed.Bed, long, away time.Duration) error {
	looks := 1
	for end := time.Now().Add(long - 4*time.Second); time.Now().Before(end); looks = 1 + h.Rand.IntN(4) {
		i := h.Victim()
		h.Fleet[i].Signal(syscall.SIGTERM)
		if _, err := h.Fleet[i].End(20 * time.Second); err != nil {
			return err
		}
		if err := h.Work(ctx, i, fmt.Sprintf("after-begin:%d:stop", looks)); err != nil {
			return err
		}
		p := h.Fleet[i]
		if err := testbed.Eventually(ctx, 15*time.Second, p.Name+" stops after a begin",
			func() bool { return testbed.StoppedNow(p) }); err != nil {
			return err
		}
		n := h.Inject(verdict.Stopped, p.Name)
		if err := testbed.Pause(ctx, away); err != nil {
			return err
		}
		h.Recover(n)
		p.Signal(syscall.SIGCONT)
	}
	return nil
}

// rolling replaces one worker after another, like a deployment: the new one is there before the old
// one leaves.
func rolling(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	for end := time.Now().Add(long); time.Now().Before(end); {
		for i := range h.Fleet {
			old := h.Fleet[i]
			if err := h.Work(ctx, i, ""); err != nil {
				return err
			}
			p := h.Fleet[i]
			if err := testbed.Eventually(ctx, 20*time.Second, p.Name+" ready",
				func() bool { return p.Said(`"worker ready"`) }); err != nil {
				return err
			}
			h.Inject(verdict.Termed, old.Name)
			old.Signal(syscall.SIGTERM)
			if code, err := old.End(20 * time.Second); err != nil || code != 0 {
				h.Violation("%s ended with %d after SIGTERM (%v)", old.Name, code, err)
			}
			if err := testbed.Pause(ctx, 500*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// serverDeaths kills one NATS server after another. Each comes back, sometimes before a lease has
// passed, sometimes after.
func serverDeaths(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	away := []time.Duration{500 * time.Millisecond, h.Pace.Lease + 1500*time.Millisecond, 2 * time.Second}
	end := time.Now().Add(long)
	for n := 0; n < len(h.Cluster.Servers) || time.Now().Before(end); n++ {
		if err := testbed.Pause(ctx, time.Duration(2500+h.Rand.IntN(1000))*time.Millisecond); err != nil {
			return err
		}
		s := h.Cluster.Servers[n%len(h.Cluster.Servers)]
		at := h.Inject(verdict.Downed, s.Name)
		s.Running.Kill()
		if err := testbed.Pause(ctx, away[n%len(away)]); err != nil {
			return err
		}
		if err := h.Cluster.Start(ctx, s); err != nil {
			return err
		}
		h.Recover(at)
	}
	return nil
}

// partition cuts the first worker off from NATS, for less than a lease and for more.
func partition(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	away := []time.Duration{time.Second, h.Pace.Silence()}
	end := time.Now().Add(long - 3*time.Second)
	for n := 0; time.Now().Before(end); n++ {
		if err := testbed.Pause(ctx, time.Duration(800+h.Rand.IntN(700))*time.Millisecond); err != nil {
			return err
		}
		at := h.Inject(verdict.CutOff, h.Fleet[0].Name)
		h.ToNATS.Sever()
		if err := testbed.Pause(ctx, away[n%len(away)]); err != nil {
			return err
		}
		h.ToNATS.Heal()
		h.Recover(at)
	}
	return nil
}
