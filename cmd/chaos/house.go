//go:build unix

// A house: everything one scenario runs in, built anew for each.

package main

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

	"protocolq/worker"
)

// plan says what is not as usual.
type plan struct {
	Servers   int      // 1
	Store     string   // where the servers' streams lie: in the house
	Sync      string   // "always"
	Armed     bool     // workers with failpoints
	Proxied   bool     // the gateway is reached through a proxy
	Cuttable  bool     // the first worker reaches NATS through a proxy
	Parted    bool     // servers reach each other through proxies, and each worker and asker knows one server only
	Workers   int      // 3; -1: none at first
	Worker    []string // more of their arguments
	Simulator []string // more arguments of the practice gateway
	Provision []string
	Doors     string  // both
	Rate      float64 // 40 asks a second by each of two askers
	Keys      float64 // 25 new accounts a second
}

func (p *plan) defaults() {
	if p.Servers == 0 {
		p.Servers = 1
	}
	if p.Sync == "" {
		p.Sync = "always"
	}
	if p.Workers == 0 {
		p.Workers = 3
	}
	if p.Doors == "" {
		p.Doors = "both"
	}
	if p.Rate == 0 {
		p.Rate = 40
	}
	if p.Keys == 0 {
		p.Keys = 25
	}
}

// Times that the workers are told, short so that much happens in little time.
const (
	lease   = 4 * time.Second
	ackWait = 3 * time.Second
	settle  = 40 * time.Second // how long askers wait for their answers after the load
)

// partner is the first of the practice partners.
const partner = "2088000000000001"

// house is one scenario's processes. The scenario's goroutine uses it; faults and say may be called from others.
type house struct {
	plan
	dir   string
	prog  programs
	seed  uint64
	rng   *rand.Rand
	began time.Time
	told  bytes.Buffer // what is printed when the scenario has ended

	cluster  *cluster
	seen     *observer
	gateways []*gateway
	way      *proxy // to the gateway
	line     *proxy // of the first worker to NATS
	workers  []*process
	made     int // workers started so far
	askers   []*process
	panicked []string
	services [][]byte // what the workers said of their service before they were ended

	mu      sync.Mutex // guards what follows
	harm    []fault
	surplus []string
}

// gateway is one practice gateway.
type gateway struct {
	*process
	address, log string
}

// build starts everything but the askers.
func (h *house) build(ctx context.Context) (err error) {
	h.plan.defaults()
	h.began = time.Now()
	if h.Store == "" {
		h.Store = h.dir
	}
	if h.cluster, err = newCluster(h.dir, h.prog.nats, h.plan); err != nil {
		return err
	}
	if err := h.cluster.up(ctx); err != nil {
		return err
	}
	if err := h.provision(ctx); err != nil {
		return err
	}
	if h.seen, err = observe(h.near(h.Servers - 1)); err != nil {
		return err
	}
	if _, err := h.practice(ctx, h.Simulator...); err != nil {
		return err
	}
	if h.Proxied {
		if h.way, err = newProxy(h.gateways[0].address); err != nil {
			return err
		}
	}
	if h.Cuttable {
		if h.line, err = newProxy(strings.TrimPrefix(h.cluster.servers[0].url, "nats://")); err != nil {
			return err
		}
	}
	for i := range max(0, h.Workers) {
		if err := h.work(ctx, i, ""); err != nil {
			return err
		}
	}
	return h.ready(ctx)
}

// provision makes the streams; a cluster may need a moment until it has a leader for each.
func (h *house) provision(ctx context.Context) error {
	args := append([]string{"provision", "--nats", h.cluster.urls(), "--ack-wait", ackWait.String(), "--replicas", fmt.Sprint(h.Servers)}, h.Provision...)
	code := -1
	err := eventually(ctx, 60*time.Second, "streams provisioned", func() bool {
		p, err := start(ctx, h.dir, "provision", nil, h.prog.protocolq, args...)
		if err != nil {
			return false
		}
		code, err = p.end(30 * time.Second)
		return err == nil && code == 0
	})
	if err != nil {
		return fmt.Errorf("%w (its last exit code: %d)", err, code)
	}
	return nil
}

// practice starts a practice gateway.
func (h *house) practice(ctx context.Context, more ...string) (*gateway, error) {
	name := fmt.Sprintf("simulator-%d", len(h.gateways)+1)
	args := append([]string{"simulator", "--listen", "127.0.0.1:0", "-o", "json", "--write-keys", h.dir, "--log-level", "warn",
		"--seed", fmt.Sprint(h.seed), "--latency", "200ms", "--jitter", "200ms"}, more...)
	p, err := start(ctx, h.dir, name, nil, h.prog.protocolq, args...)
	if err != nil {
		return nil, err
	}
	var urls map[string]string
	err = eventually(ctx, 20*time.Second, "practice gateway up", func() bool {
		b, err := os.ReadFile(p.log)
		first, _, whole := strings.Cut(string(b), "\n")
		return err == nil && whole && json.Unmarshal([]byte(first), &urls) == nil
	})
	if err != nil {
		return nil, err
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(urls["gateway"], "http://"), "/")
	g := &gateway{process: p, address: address, log: urls["gateway_log"]}
	h.gateways = append(h.gateways, g)
	return g, nil
}

// work starts the worker of a place, armed with a failpoint or "".
func (h *house) work(ctx context.Context, place int, failpoint string) error {
	for len(h.workers) <= place {
		h.workers = append(h.workers, nil)
	}
	if p := h.workers[place]; p != nil {
		h.inspect(p)
	}
	h.made++
	urls, address := h.near(place), h.gateways[0].address
	if h.line != nil && place == 0 {
		urls = "nats://" + h.line.address()
	}
	if h.way != nil {
		address = h.way.address()
	}
	program, env := h.prog.protocolq, []string(nil)
	if h.Armed {
		program = h.prog.armed
	}
	if failpoint != "" {
		env = append(env, "PROTOCOLQ_FAILPOINT="+failpoint)
	}
	args := append([]string{"worker", "--nats", urls, "--gateway-url", "http://" + address + "/gateway.do", "--unsafe-gateway",
		"--partner", partner, "--key-file", filepath.Join(h.dir, partner+".key"), "--log-format", "json",
		"--lease", lease.String(), "--call-timeout", "2s", "--cooldown", "2s", "--freshness", "1h"}, h.Worker...)
	p, err := start(ctx, h.dir, fmt.Sprintf("worker-%d.%d", place+1, h.made), env, program, args...)
	h.workers[place] = p
	return err
}

// near is what the client of a place is given: all servers, or the one that is on its side when they are parted.
func (h *house) near(place int) string {
	if h.Parted {
		return h.cluster.servers[place%len(h.cluster.servers)].url
	}
	return h.cluster.urls()
}

// ready waits until the doors of all workers that live are open.
func (h *house) ready(ctx context.Context) error {
	for _, p := range h.workers {
		if err := eventually(ctx, 30*time.Second, p.name+" ready", func() bool { return !p.alive() || p.said(`"worker ready"`) }); err != nil {
			return err
		}
	}
	return nil
}

// inspect looks for a panic in what a process said.
func (h *house) inspect(p *process) {
	for _, word := range []string{"panic:", "fatal error:", "panic in a run", "DATA RACE"} {
		if p.said(word) {
			h.panicked = append(h.panicked, p.name)
			return
		}
	}
}

// load starts the askers; they ask for as long as given.
func (h *house) load(ctx context.Context, long time.Duration) error {
	begin := time.Now().UnixMicro()
	for i := range 2 {
		name := string(rune('a' + i))
		p, err := start(ctx, h.dir, "asker-"+name, nil, h.prog.self, "asker", "-name", name, "-nats", h.near(i), "-seed", fmt.Sprint(h.seed),
			"-begin", fmt.Sprint(begin), "-for", long.String(), "-settle", settle.String(), "-rate", fmt.Sprint(h.Rate), "-keys", fmt.Sprint(h.Keys),
			"-doors", h.Doors, "-out", filepath.Join(h.dir, name+".jsonl"))
		if err != nil {
			return err
		}
		h.askers = append(h.askers, p)
	}
	return nil
}

// did notes a fault, tells it, and gives its place in the list for mended.
func (h *house) did(kind, who string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.harm = append(h.harm, fault{At: now.UnixMicro(), Kind: kind, Who: who})
	fmt.Fprintf(&h.told, "  %s  %6.2fs  %s %s\n", now.Format(clock), now.Sub(h.began).Seconds(), kind, who)
	return len(h.harm) - 1
}

// mended notes that a fault is over.
func (h *house) mended(i int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.harm[i].Until = time.Now().UnixMicro()
}

// amiss notes something that must not be.
func (h *house) amiss(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.surplus = append(h.surplus, fmt.Sprintf(format, args...))
}

// quiet waits until every asker has his answers or has given up, and until the streams have nothing left to do.
func (h *house) quiet(ctx context.Context) error {
	for _, p := range h.askers {
		if code, err := p.end(2*settle + time.Minute); err != nil || code != 0 {
			return fmt.Errorf("asker %s: exit code %d, %w", p.name, code, err)
		}
	}
	end := time.Now().Add(settle)
	for {
		left, err := h.seen.left(ctx)
		if err == nil && left == 0 || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// gather asks every witness.
func (h *house) gather(ctx context.Context) (*testimony, error) {
	t := &testimony{Asks: map[string]*asked{}, Dead: map[string]string{}}
	for _, p := range h.askers {
		if err := t.readAsker(filepath.Join(h.dir, strings.TrimPrefix(p.name, "asker-")+".jsonl")); err != nil {
			return nil, err
		}
	}
	for _, g := range h.gateways {
		if err := t.readCalls(g.log); err != nil {
			return nil, err
		}
	}
	if err := h.seen.testify(ctx, t); err != nil {
		return nil, err
	}
	t.Fenced = h.fenced()
	for _, p := range h.workers {
		h.inspect(p)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t.Faults, t.Surplus, t.Panics = h.harm, h.surplus, h.panicked
	return t, nil
}

// fenced sums the late writes that were refused, over the workers that live.
func (h *house) fenced() (n uint64) {
	inbox := h.seen.nc.NewInbox()
	sub, err := h.seen.nc.SubscribeSync(inbox)
	if err != nil || h.seen.nc.PublishRequest("$SRV.STATS.protocol-query", inbox, nil) != nil {
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
				Data worker.Stats `json:"data"`
			} `json:"endpoints"`
		}
		if json.Unmarshal(m.Data, &stats) == nil && len(stats.Endpoints) > 0 {
			n += stats.Endpoints[0].Data.Fenced
		}
	}
}

// razed ends everything and forgets it, so that the house can be built again.
func (h *house) razed() {
	h.raze()
	h.seen, h.way, h.line, h.cluster, h.workers, h.askers, h.gateways = nil, nil, nil, nil, nil, nil, nil
}

// raze ends everything.
func (h *house) raze() {
	if h.seen != nil {
		h.seen.nc.Close()
	}
	for _, p := range []*proxy{h.way, h.line} {
		if p != nil {
			p.close()
		}
	}
	all := append(append([]*process(nil), h.workers...), h.askers...)
	for _, g := range h.gateways {
		all = append(all, g.process)
	}
	if h.cluster != nil {
		h.cluster.close()
		for _, s := range h.cluster.servers {
			all = append(all, s.running)
		}
	}
	for _, p := range all {
		if p != nil {
			p.signal(syscall.SIGCONT)
			p.kill()
		}
	}
}
