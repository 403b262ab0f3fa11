// Everything in one process: NATS with JetStream, the practice gateway, workers. What dev and demo
// stand on.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
)

// houseOptions say what to run. The zero value of a field is its default.
type houseOptions struct {
	Config        *Config // of the workers; its NATS and GatewayURL are filled in
	Data          string  // directory that keeps the streams; "" keeps nothing
	NATSListen    string  // "127.0.0.1:0"
	GatewayListen string  // "127.0.0.1:0"
	Workers       int     // 2
	Simulator     simulator.Options
	Logger        *slog.Logger
}

// house is all of it, running.
type house struct {
	dir        string // where the query log is
	temporary  bool   // dir is removed at the end
	database   string // the query log's URL
	hasher     *querylog.Hasher
	nats       *embedded
	sim        *simulator.Simulator
	gate, log  net.Listener
	stop       context.CancelFunc // ends workers and gateway
	running    sync.WaitGroup
	mu         sync.Mutex // guards failed
	failed     []error
	stopWorker context.CancelFunc
	workers    sync.WaitGroup
}

// openHouse starts everything; when it returns, everything answers. Close it.
func openHouse(ctx context.Context, o houseOptions) (*house, error) {
	h := &house{}
	if err := h.open(ctx, &o); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *house) open(ctx context.Context, o *houseOptions) error {
	if o.Workers == 0 {
		o.Workers = 2
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	data := o.Data
	if data != "" {
		data = filepath.Join(data, "nats")
	}
	var err error
	if h.nats, err = startEmbedded(embedOptions{Listen: o.NATSListen, Data: data, Logger: o.Logger}); err != nil {
		return err
	}
	o.Config.NATS = []string{h.nats.URL()}
	if err := h.provision(ctx, o.Config.Prefix); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	if err := h.openLog(background, o); err != nil {
		return err
	}
	if err := h.openGateway(background, o); err != nil {
		return err
	}
	o.Config.GatewayURL, o.Config.UnsafeGateway = h.URLs()["gateway"], true
	// Nobody stands between this gateway and its askers.
	o.Config.GatewayReuseAfter = cmp.Or(o.Config.GatewayReuseAfter, time.Nanosecond)
	return h.openWorkers(ctx, background, o)
}

func (h *house) provision(ctx context.Context, prefix string) error {
	names, err := messages.NewNames(prefix)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	nc, err := nats.Connect("", nats.InProcessServer(h.nats.server), nats.Name("protocolq provision"))
	if err != nil {
		return fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if _, err := provision.Apply(ctx, js, provision.Options{Names: names, Update: true}); err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	return nil
}

// openLog makes the key of the query log, if there is none, and runs a recorder into SQLite.
func (h *house) openLog(ctx context.Context, o *houseOptions) (err error) {
	if h.dir = o.Data; h.dir == "" {
		if h.dir, err = makeTemporary("protocolq-log-"); err != nil {
			return err
		}
		h.temporary = true
	}
	path, err := filepath.Abs(h.dir)
	if err != nil {
		return fmt.Errorf("query log: %w", err)
	}
	rec := &recordConfig{Database: "sqlite://" + filepath.Join(path, "log.db"), LogHMACKeyFile: filepath.Join(path, "log-hmac.key"), LogRetention: 400 * day}
	if err := makeKey(rec.LogHMACKeyFile); err != nil {
		return err
	}
	if h.hasher, err = rec.hasher(); err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	h.database = rec.Database
	ready, ended := make(chan struct{}), make(chan struct{})
	h.running.Go(func() {
		h.fail(record(ctx, o.Config, rec, o.Logger, func() { close(ready) }))
		close(ended)
	})
	select {
	case <-ready:
		return nil
	case <-ended:
		return errors.New("the recorder ended before it was ready")
	}
}

// makeKey makes a key file of 32 random bytes in hex, unless there is one.
func makeKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(path, []byte(hex.EncodeToString(key)+"\n"), 0o600); err != nil {
		return fmt.Errorf("make the query log's key: %w", err)
	}
	return nil
}

func (h *house) openGateway(ctx context.Context, o *houseOptions) error {
	o.Simulator.Partners = practiceAskers(practicePartners())
	var err error
	if h.sim, err = simulator.New(o.Simulator); err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	if h.gate, err = net.Listen("tcp", firstOf(o.GatewayListen, "127.0.0.1:0")); err != nil {
		return fmt.Errorf("open the practice gateway's address: %w", err)
	}
	if h.log, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("open the call log's address: %w", err)
	}
	h.running.Go(func() { h.fail(h.sim.Serve(ctx, h.gate, h.log)) })
	return nil
}

func (h *house) openWorkers(ctx, background context.Context, o *houseOptions) error {
	working, stop := context.WithCancel(background)
	h.stopWorker = stop
	ready := make(chan struct{}, o.Workers)
	ended := make(chan struct{}, o.Workers)
	for range o.Workers {
		h.workers.Go(func() {
			h.fail(serve(working, o.Config, practicePartners(), h.hasher, o.Logger, func() { ready <- struct{}{} }))
			ended <- struct{}{}
		})
	}
	for range o.Workers {
		select {
		case <-ready:
		case <-ended:
			return errors.New("a worker ended before it was ready")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (h *house) fail(err error) {
	if err == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, err)
}

// URLs are where everything is, by the names that scripts know.
func (h *house) URLs() map[string]string {
	return map[string]string{
		"nats":        h.nats.URL(),
		"gateway":     "http://" + h.gate.Addr().String() + simulator.Path,
		"gateway_log": "http://" + h.log.Addr().String(),
		"database":    h.database,
	}
}

// Close drains the workers, then ends the gateway and NATS. The error joins what any of them ended
// with.
func (h *house) Close() error {
	if h.stopWorker != nil {
		h.stopWorker()
		h.workers.Wait()
	}
	if h.stop != nil {
		h.stop()
		h.running.Wait()
	}
	for _, l := range []net.Listener{h.gate, h.log} {
		if l != nil {
			_ = l.Close()
		}
	}
	if h.nats != nil {
		h.nats.Close()
	}
	if h.temporary {
		dropTemporary(h.dir)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.failed...)
}

// practiceConfig is the settings of a house's workers: the defaults, with the practice partners.
func practiceConfig(c *Config) {
	set := newSettings(c.table())
	for _, s := range set.list {
		if s.parse != nil {
			must(s.parse(s.fallback))
		}
	}
	c.Partner = practiceSet[0].id
}

// keptData checks a --data directory before anything is made in it.
func keptData(dir string) error {
	if dir == "" {
		return nil
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return usageError("--data: %s is not a directory", dir)
	}
	return nil
}
