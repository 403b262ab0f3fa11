//go:build unix

// A test bed: everything for one run of a scenario, built anew for each.

package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"protocolq/cmd/chaos/verdict"
)

// Settle is how long the chaos test waits for what must come.
const Settle = 40 * time.Second

// Bed is one scenario's processes. The scenario's goroutine uses it; faults and say may be called
// from others.
type Bed struct {
	Plan
	Pace     verdict.Pace
	Dir      string
	Programs Programs
	Seed     uint64
	Rand     *rand.Rand
	Began    time.Time
	Story    bytes.Buffer // what is printed when the scenario has ended

	Cluster   *cluster
	Observer  *observer
	Gateways  []*Gateway
	ToGateway *Proxy // to the gateway
	ToNATS    *Proxy // of the first worker to NATS
	Fleet     []*Process
	made      int // workers of Fleet started so far
	askers    []*Process
	Recorder  recording
	panicked  []string
	Services  [][]byte // the workers' service answers before they were ended

	mu      sync.Mutex // guards the rest
	Harm    []verdict.Fault
	surplus []string
}

// Gateway is one practice gateway.
type Gateway struct {
	*Process
	Address, calls string
}

// Build starts everything but the askers.
func (h *Bed) Build(ctx context.Context) (err error) {
	h.Plan.defaults()
	if h.Settle == 0 {
		h.Settle = h.Pace.Settle
	}
	h.Began = time.Now()
	if h.Store == "" {
		h.Store = h.Dir
	}
	if !h.Unlogged {
		if err := h.Recorder.open(h); err != nil {
			return err
		}
	}
	if h.Cluster, err = newCluster(h.Dir, h.Programs.Nats, h.Plan); err != nil {
		return err
	}
	if err := h.Cluster.Up(ctx); err != nil {
		return err
	}
	if err := h.MakeStreams(ctx); err != nil {
		return err
	}
	if h.Observer, err = observe(h.near(h.Servers-1), h.Servers); err != nil {
		return err
	}
	if _, err := h.Practice(ctx, h.Simulator...); err != nil {
		return err
	}
	if !h.Unlogged {
		if err := h.Recorder.Start(ctx, h); err != nil {
			return err
		}
	}
	if h.Proxied {
		if h.ToGateway, err = newProxy(h.Gateways[0].Address); err != nil {
			return err
		}
	}
	if h.Cuttable {
		if h.ToNATS, err = newProxy(strings.TrimPrefix(h.Cluster.Servers[0].uRL, "nats://")); err != nil {
			return err
		}
	}
	for i := range max(0, h.Workers) {
		if err := h.Work(ctx, i, ""); err != nil {
			return err
		}
	}
	return h.Ready(ctx)
}

// MakeStreams makes the streams; a cluster may need a moment until it has a leader for each.
func (h *Bed) MakeStreams(ctx context.Context) error {
	args := append([]string{"provision", "--nats", h.Cluster.uRLs(), "--ack-wait", h.Pace.AckWait.String(),
		"--replicas", fmt.Sprint(h.Servers)}, h.Provision...)
	code := -1
	err := Eventually(ctx, 60*time.Second, "streams provisioned", func() bool {
		p, err := start(ctx, h.Dir, "provision", nil, h.Programs.protocolq, args...)
		if err != nil {
			return false
		}
		code, err = p.End(30 * time.Second)
		return err == nil && code == 0
	})
	if err != nil {
		return fmt.Errorf("%w (its last exit code: %d)", err, code)
	}
	return nil
}

// Practice starts a practice gateway.
func (h *Bed) Practice(ctx context.Context, more ...string) (*Gateway, error) {
	name := fmt.Sprintf("simulator-%d", len(h.Gateways)+1)
	args := append([]string{"simulator", "--listen", "127.0.0.1:0", "-o", "json", "--write-keys", h.Dir, "--log-level",
		"warn",
		"--seed", fmt.Sprint(h.Seed), "--latency", "200ms", "--jitter", "200ms"}, more...)
	p, err := start(ctx, h.Dir, name, nil, h.Programs.protocolq, args...)
	if err != nil {
		return nil, err
	}
	var urls map[string]string
	err = Eventually(ctx, 20*time.Second, "practice gateway up", func() bool {
		b, err := os.ReadFile(p.log)
		first, _, whole := strings.Cut(string(b), "\n")
		return err == nil && whole && json.Unmarshal([]byte(first), &urls) == nil
	})
	if err != nil {
		return nil, err
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(urls["gateway"], "http://"), "/")
	g := &Gateway{Process: p, Address: address, calls: urls["gateway_log"]}
	h.Gateways = append(h.Gateways, g)
	return g, nil
}

// Work starts the worker of a place, armed with a failpoint or "".
func (h *Bed) Work(ctx context.Context, place int, failpoint string) error {
	for len(h.Fleet) <= place {
		h.Fleet = append(h.Fleet, nil)
	}
	if p := h.Fleet[place]; p != nil {
		h.Inspect(p)
	}
	h.made++
	urls, address := h.near(place), h.Gateways[0].Address
	if h.ToNATS != nil && place == 0 {
		urls = "nats://" + h.ToNATS.address()
	}
	if h.ToGateway != nil {
		address = h.ToGateway.address()
	}
	program, env := h.Programs.protocolq, []string(nil)
	if h.Armed {
		program = h.Programs.armed
	}
	if failpoint != "" {
		env = append(env, "PROTOCOLQ_FAILPOINT="+failpoint)
	}
	args := append([]string{"worker", "--nats", urls, "--gateway-url", "http://" + address + "/gateway.do",
		"--unsafe-gateway",
		"--partner", verdict.Partner, "--key-file", filepath.Join(h.Dir,
			verdict.Partner+".key"), "--log-format", "json"},
		append(h.Pace.Settings(), h.Worker...)...)
	p, err := start(ctx, h.Dir, fmt.Sprintf("worker-%d.%d", place+1, h.made), env, program, args...)
	h.Fleet[place] = p
	return err
}

// near is the address list for a client at a place: all servers, or the one on its side when they
// are separated.
func (h *Bed) near(place int) string {
	if h.Parted {
		return h.Cluster.Servers[place%len(h.Cluster.Servers)].uRL
	}
	return h.Cluster.uRLs()
}

// Ready waits until the doors of all live workers are open.
func (h *Bed) Ready(ctx context.Context) error {
	for _, p := range h.Fleet {
		if err := Eventually(ctx, 30*time.Second, p.Name+" ready",
			func() bool { return !p.Alive() || p.Said(`"worker ready"`) }); err != nil {
			return err
		}
	}
	return nil
}

// Inspect looks for a panic in a process's output.
func (h *Bed) Inspect(p *Process) {
	for _, word := range []string{"panic:", "fatal error:", "panic in a run", "DATA RACE"} {
		if p.Said(word) {
			h.panicked = append(h.panicked, p.Name)
			return
		}
	}
}

// Load starts the askers, which ask for the given time.
func (h *Bed) Load(ctx context.Context, long time.Duration) error {
	begin := time.Now().UnixMicro()
	for i := range 2 {
		name := string(rune('a' + i))
		p, err := start(ctx, h.Dir, "asker-"+name, nil, h.Programs.self, "asker", "-name", name, "-nats", h.near(i),
			"-seed", fmt.Sprint(h.Seed),
			"-begin", fmt.Sprint(begin), "-for", long.String(), "-settle", h.Settle.String(), "-rate",
			fmt.Sprint(h.Rate), "-keys", fmt.Sprint(h.Keys), "-at-once", fmt.Sprint(h.AtOnce),
			"-doors", h.Doors, "-plain="+fmt.Sprint(h.Plain), "-out", filepath.Join(h.Dir, name+".jsonl"))
		if err != nil {
			return err
		}
		h.askers = append(h.askers, p)
	}
	return nil
}

// Inject notes a fault, adds it to the story, and returns its index for Recover.
func (h *Bed) Inject(kind, who string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.Harm = append(h.Harm, verdict.Fault{At: now.UnixMicro(), Kind: kind, Who: who})
	fmt.Fprintf(&h.Story, "  %s  %6.2fs  %s %s\n", now.Format(verdict.Clock), now.Sub(h.Began).Seconds(), kind, who)
	return len(h.Harm) - 1
}

// Reroute leads the way to the gateway elsewhere, and cuts the calls that are on it.
func (h *Bed) Reroute(kind, address string) int {
	i := h.Inject(kind, "gateway")
	h.ToGateway.Lead(address)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Harm[i].Done = time.Now().UnixMicro()
	return i
}

// Recover notes that a fault is over.
func (h *Bed) Recover(i int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Harm[i].Until = time.Now().UnixMicro()
}

// Violation notes a violation.
func (h *Bed) Violation(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.surplus = append(h.surplus, fmt.Sprintf(format, args...))
}

// Quiet waits until every asker has its answers or has given up, and until the streams have no work
// left.
func (h *Bed) Quiet(ctx context.Context) error {
	for _, p := range h.askers {
		if code, err := p.End(2*h.Settle + time.Minute); err != nil || code != 0 {
			return fmt.Errorf("asker %s: exit code %d, %w", p.Name, code, err)
		}
	}
	end := time.Now().Add(h.Pace.Settle)
	for {
		left, err := h.Observer.Left(ctx)
		if err == nil && left == 0 && h.Observer.Settled(ctx) || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
		if err := Pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// Gather collects all the evidence.
func (h *Bed) Gather(ctx context.Context) (*verdict.Evidence, error) {
	t := &verdict.Evidence{Asks: map[string]*verdict.Ask{}, Dead: map[string]string{}, Events: map[string]int{},
		Durable: map[string]int{}}
	for _, p := range h.askers {
		if err := t.ReadAsker(filepath.Join(h.Dir, strings.TrimPrefix(p.Name, "asker-")+".jsonl")); err != nil {
			return nil, err
		}
	}
	for _, g := range h.Gateways {
		if err := t.ReadCalls(g.calls); err != nil {
			return nil, err
		}
	}
	if err := h.Observer.gather(ctx, t); err != nil {
		return nil, err
	}
	t.Fenced = h.fenced()
	for _, p := range h.Fleet {
		h.Inspect(p)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t.Faults, t.Surplus, t.Panics = h.Harm, h.surplus, h.panicked
	return t, nil
}

// fenced sums the late writes that were refused, over the live workers.
func (h *Bed) fenced() (n uint64) {
	inbox := h.Observer.Conn.NewInbox()
	sub, err := h.Observer.Conn.SubscribeSync(inbox)
	if err != nil || h.Observer.Conn.PublishRequest("$SRV.STATS.protocol-query", inbox, nil) != nil {
		return 0
	}
	defer func() { _ = sub.Unsubscribe() }()
	for {
		m, err := sub.NextMsg(500 * time.Millisecond)
		if err != nil {
			return n
		}
		var stats struct {
			Endpoints []struct {
				Data struct {
					Fenced uint64 `json:"fenced"`
				} `json:"data"`
			} `json:"endpoints"`
		}
		if json.Unmarshal(m.Data, &stats) == nil && len(stats.Endpoints) > 0 {
			n += stats.Endpoints[0].Data.Fenced
		}
	}
}

// reset ends everything and forgets it, so that the test bed can be built again.
func (h *Bed) reset() {
	h.Teardown()
	h.Observer, h.ToGateway, h.ToNATS, h.Cluster, h.Fleet, h.askers, h.Gateways = nil, nil, nil, nil, nil, nil, nil
}

// Teardown ends everything.
func (h *Bed) Teardown() {
	if h.Observer != nil {
		h.Observer.close()
	}
	for _, p := range []*Proxy{h.ToGateway, h.ToNATS} {
		if p != nil {
			p.close()
		}
	}
	all := append(append([]*Process{h.Recorder.Running}, h.Fleet...), h.askers...)
	for _, g := range h.Gateways {
		all = append(all, g.Process)
	}
	if h.Cluster != nil {
		h.Cluster.close()
		for _, s := range h.Cluster.Servers {
			all = append(all, s.Running)
		}
	}
	for _, p := range all {
		if p != nil {
			p.Signal(syscall.SIGCONT)
			p.Kill()
		}
	}
}
