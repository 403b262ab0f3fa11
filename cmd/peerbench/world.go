// World: the processes of one cell, all new, on loopback ports, with a store that is removed
// afterwards.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/peerbench/cmdline"
)

type world struct {
	o       *options
	ct      contestant
	tmp     string
	gateway *gateway
	servers []*proc
	urls    string // of the servers, joined by commas
	nc      *nats.Conn
	workers []*proc
	beside  []*proc
	starts  int           // of workers, for the names of their logs
	warmKey atomic.Uint64 // keys that the measurement does not use
	died    atomic.Int64  // when the first worker was killed, see tally
}

// newWorld starts everything but the workers. Its result must be closed, also after an error.
func newWorld(ctx context.Context, o *options, ct contestant) (w *world, err error) {
	w = &world{o: o, ct: ct, workers: make([]*proc, 0, o.workers)}
	w.warmKey.Store(900_000_000_000)
	if w.tmp, err = os.MkdirTemp("", "peerbench"); err != nil {
		return w, err
	}
	for name, content := range map[string]string{"md5.key": o.key, "log.key": strings.Repeat("peerbench", 4)} {
		if err := os.WriteFile(filepath.Join(w.tmp, name), []byte(content), 0o600); err != nil {
			return w, err
		}
	}
	if w.gateway, err = startGateway(ctx, w.tmp, o); err != nil {
		return w, err
	}
	if w.servers, w.urls, err = startServers(ctx, w.tmp, o.servers, o.sync); err != nil {
		return w, err
	}
	if w.nc, err = connect(w.urls); err != nil {
		return w, err
	}
	if err := w.setUp(ctx); err != nil {
		return w, err
	}
	if ct.beside != "" {
		p, err := w.run(ctx, "beside", ct.beside, 0)
		if err != nil {
			return w, fmt.Errorf("beside the workers: %w", err)
		}
		w.beside = append(w.beside, p)
	}
	return w, nil
}

// setUp makes the streams, by the contestant's own command if it has one. While not all peers of a
// cluster are up, the cluster refuses a stream of three copies, so setUp tries again.
func (w *world) setUp(ctx context.Context) error {
	limit := time.Duration(0)
	if w.o.servers > 1 {
		limit = clusterUp
	}
	return tryFor(ctx, limit, func() error {
		if err := makeStream(w.nc, w.o, w.ct); err != nil {
			return fmt.Errorf("make the stream of queries: %w", err)
		}
		if w.ct.setup == "" {
			return nil
		}
		p, err := w.run(ctx, "setup", w.ct.setup, 0)
		if err != nil {
			return fmt.Errorf("setup: %w", err)
		}
		if err := p.finish(time.Minute); err != nil {
			return fmt.Errorf("setup: %w: %s", err, p.tail())
		}
		return nil
	})
}

const (
	clusterUp = 45 * time.Second // in which the peers of a cluster find each other, also on a busy machine
	tryPause  = 500 * time.Millisecond
)

// tryFor tries until it succeeds or the limit is over, at least once. The error is the last one,
// with the number of tries.
func tryFor(ctx context.Context, limit time.Duration, try func() error) error {
	end := time.Now().Add(limit)
	for tries := 1; ; tries++ {
		err := try()
		switch {
		case err == nil:
			return nil
		case limit == 0:
			return err
		case !time.Now().Add(tryPause).Before(end):
			return fmt.Errorf("tried %d times in %v: %w", tries, limit, err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(tryPause):
		}
	}
}

// run starts the command line of a worker, a set-up or a program beside.
func (w *world) run(ctx context.Context, name, line string, i int) (*proc, error) {
	keyFile, gatewayURL := filepath.Join(w.tmp, "md5.key"), w.gateway.url+"/gateway.do"
	fill := strings.NewReplacer("{nats}", w.urls, "{gateway}", gatewayURL, "{partner}", w.o.partner, "{key}", w.o.key,
		"{keyfile}", keyFile,
		"{logkey}", filepath.Join(w.tmp, "log.key"), "{replicas}", fmt.Sprint(w.o.servers), "{protocolq}",
		w.o.protocolq,
		"{bin}", "bin", "{tmp}", w.tmp, "{i}", fmt.Sprint(i))
	args := cmdline.Split(line)
	for j := range args {
		args[j] = fill.Replace(args[j])
	}
	env := []string{"PEER_NATS=" + w.urls, "PEER_GATEWAY=" + gatewayURL, "PEER_PARTNER=" + w.o.partner,
		"PEER_KEY=" + w.o.key, "PEER_KEYFILE=" + keyFile, "PEER_TMP=" + w.tmp, "PEER_INDEX=" + fmt.Sprint(i)}
	return start(ctx, w.tmp, name, env, args[0], args[1:]...)
}

// launch starts worker i, for the first time or again.
func (w *world) launch(ctx context.Context, i int) error {
	w.starts++
	p, err := w.run(ctx, fmt.Sprintf("worker%d-%d", i, w.starts), w.ct.cmd, i)
	switch {
	case err != nil:
		return err
	case i < len(w.workers):
		w.workers[i] = p
	default:
		w.workers = append(w.workers, p)
	}
	return nil
}

// alive names a process that has ended without being told to.
func (w *world) alive() error {
	for _, p := range slices.Concat(w.servers, w.beside, w.workers) {
		if p.exited() {
			return fmt.Errorf("%s ended: %s", p.cmd.Path, p.tail())
		}
	}
	return nil
}

// cpu is the CPU time of the processes so far, in seconds.
func cpu(all ...*proc) (s float64) {
	for _, p := range all {
		s += p.cpu()
	}
	return s
}

func (w *world) allConnected() bool {
	for _, p := range w.workers {
		if !p.connected(w.urls) {
			return false
		}
	}
	return true
}

// largest is the largest figure of any worker.
func (w *world) largest(figure func(*proc) float64) (mb float64) {
	for _, p := range w.workers {
		mb = max(mb, figure(p))
	}
	return mb
}

// close ends what is still running, in the order workers, recorder, servers, gateway.
func (w *world) close() {
	if w.nc != nil {
		w.nc.Close()
	}
	all := slices.Concat(w.workers, w.beside, w.servers)
	if w.gateway != nil {
		all = append(all, w.gateway.proc)
	}
	for _, p := range all {
		p.stop(5 * time.Second)
	}
	if w.o.keep {
		log.Print("logs in ", w.tmp)
		return
	}
	_ = os.RemoveAll(w.tmp)
}
