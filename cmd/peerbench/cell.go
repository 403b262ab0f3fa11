// A cell from its start to its line: processes, warm-up, measurement, stop.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"protocolq/cmd/peerbench/payload"
)

const grace = 8 * time.Second // a worker that has not stopped after this is killed and counted

// runCell starts a world for one contestant, asks it, and ends everything that it started.
func runCell(ctx context.Context, o *options) (*result, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	ct, err := o.pick()
	if err != nil {
		return nil, err
	}
	if err := build(ctx); err != nil {
		return nil, err
	}
	if o.protocolq == firstCoreBinary {
		if err := buildFirstCore(ctx); err != nil {
			return nil, err
		}
	}
	w, err := newWorld(ctx, o, ct)
	defer w.close()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for i := range o.workers {
		if err := w.launch(ctx, i); err != nil {
			return nil, err
		}
	}
	cl, err := newClient(w.nc, ct, o)
	if err != nil {
		return nil, err
	}
	startMs, err := w.ready(cl, began)
	if err != nil {
		return nil, err
	}
	idle := w.largest((*proc).rss)
	idleCPU := w.rest()
	w.warm(cl)
	filled, err := w.remember(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, _, err := w.drained(ctx); err != nil { // the warm-up must not cost anything in the measurement
		return nil, err
	}
	if err := w.gateway.reset(); err != nil {
		return nil, err
	}
	r, err := w.measure(ctx, cl)
	if err != nil {
		return nil, err
	}
	r.Contestant, r.Dist, r.C, r.Workers = o.contestant, o.dist, o.c, o.workers
	r.Ingest, r.ReplyBy = ct.ingest, ct.replyBy
	r.Servers, r.Sync, r.Remembered = o.servers, o.sync, o.remembered
	r.LatencyMs, r.ErrorRate = float64(o.latency)/1e6, o.errorRate
	r.JitterMs, r.Rate, r.MaxS = float64(o.jitter)/1e6, o.rate, o.maxTime.Seconds()
	if o.rate > 0 {
		r.C = 0
	}
	r.StartMs, r.IdleRSS, r.IdleCPU, r.FilledRSS = startMs, idle, idleCPU, filled
	r.KillAtS = o.killAt.Seconds()
	r.StopMs, r.Killed = w.stopWorkers()
	if o.remembered > 0 {
		r.RestartMs, err = w.restart(ctx, cl)
	}
	return r, err
}

// ready waits for a first good answer and for every worker's connection.
func (w *world) ready(cl *client, began time.Time) (ms float64, err error) {
	allFail := w.o.errorRate >= 1 || w.o.httpErrors >= 1
	for deadline := time.Now().Add(30 * time.Second); ms == 0; time.Sleep(5 * time.Millisecond) {
		if err := w.alive(); err != nil {
			return 0, err
		}
		out := w.askWarm(cl, "p", 500*time.Millisecond)
		switch {
		case out.kind == answered && (out.ok || allFail):
			ms = float64(time.Since(began).Microseconds()) / 1e3
		case time.Now().After(deadline):
			return 0, fmt.Errorf("no worker gave a good answer in 30 s (last: %v %s); its log ends: %s", out.kind,
				out.note, w.workers[0].tail())
		}
	}
	for deadline := time.Now().Add(10 * time.Second); !w.allConnected(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return 0, errors.New("not every worker connected")
		}
	}
	time.Sleep(500 * time.Millisecond)
	return ms, nil
}

// rest leaves the workers idle for -idle and returns how much of one core the busiest used, in
// percent.
func (w *world) rest() *float64 {
	if w.o.idle == 0 {
		return nil
	}
	before := make([]float64, len(w.workers))
	for i, p := range w.workers {
		before[i] = p.cpu()
	}
	began := time.Now()
	time.Sleep(w.o.idle)
	most := 0.0
	for i, p := range w.workers {
		most = max(most, p.cpu()-before[i])
	}
	pct := 100 * most / time.Since(began).Seconds()
	return &pct
}

// askWarm asks for a key that the measurement does not use.
func (w *world) askWarm(cl *client, prefix string, timeout time.Duration) outcome {
	k := payload.Key(w.warmKey.Add(1))
	return cl.ask(prefix+k, k, timeout)
}

func (w *world) warm(cl *client) {
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(w.o.warm))
	for range min(w.o.c, w.o.warm) {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				w.askWarm(cl, "w", w.o.timeout)
			}
		})
	}
	wg.Wait()
}

// measure runs the load, and waits for what is owed after it, between two readings of all accounts.
func (w *world) measure(ctx context.Context, cl *client) (*result, error) {
	before := w.accounts()
	restarted := w.killLater(ctx)
	r := load(cl, w.o, &w.died)
	if err := <-restarted; err != nil {
		return nil, err
	}
	r.WorkerRSS = w.largest((*proc).peakRSS)
	after, owed, where, err := w.drained(ctx)
	if err != nil {
		return nil, err
	}
	r.Owed, r.OwedIn = owed, where
	r.account(before, after)
	if err := w.alive(); err != nil {
		return nil, err
	}
	if w.o.killAt > 0 {
		r.WorkerCPU, r.WorkerUs = 0, 0 // the CPU time of the stopped process is lost
	}
	time.Sleep(200*time.Millisecond + w.o.latency) // calls whose askers have left count, too
	st, err := w.gateway.stats()
	r.add(&st)
	return r, err
}

// restart starts the workers again, with what they remember, and returns how long the first good
// answer takes.
func (w *world) restart(ctx context.Context, cl *client) (ms float64, err error) {
	began := time.Now()
	for i := range w.workers {
		if err := w.launch(ctx, i); err != nil {
			return 0, err
		}
	}
	return w.ready(cl, began)
}

// killLater kills the first worker and starts it again, if that is asked for; the channel says when
// it is done.
func (w *world) killLater(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	if w.o.killAt <= 0 {
		done <- nil
		return done
	}
	time.AfterFunc(w.o.killAt, func() {
		wait := time.Duration(0)
		if w.o.killTerm {
			wait = grace
		}
		w.died.Store(time.Now().UnixNano())
		w.workers[0].stop(wait)
		done <- w.launch(ctx, 0)
	})
	return done
}

// stopWorkers stops all at once, and returns how long the slowest took and how many had to be
// killed.
func (w *world) stopWorkers() (ms float64, killed int) {
	began := time.Now()
	for _, p := range w.workers {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	}
	for _, p := range w.workers {
		if !p.stop(grace) {
			killed++
		}
	}
	return float64(time.Since(began).Microseconds()) / 1e3, killed
}
