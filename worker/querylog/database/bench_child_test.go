//go:build unix

// What a recorder costs at a steady rate: a process of its own, so that its CPU time is counted
// separately.

package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// single makes queries of one run and one ask each.
func (tr *traffic) single(queries int) (b querylog.Batch) {
	for range queries {
		one := tr.batch(1)
		b.Runs, b.Asks = append(b.Runs, one.Runs...), append(b.Asks, one.Asks[0])
	}
	return b
}

// BenchmarkRecord is the CPU time of a recorder for a query of one run and one ask, as workers
// publish them: those of 20 ms in one message. Each round has its own log and lasts three seconds.
func BenchmarkRecord(b *testing.B) {
	for name, place := range benchPlaces(b) {
		for _, rate := range []int{200, 1000, 4000} {
			b.Run(fmt.Sprintf("%s-%d", name, rate), func(b *testing.B) {
				tr, queries, used := newTraffic(time.Second/time.Duration(rate)), 0, time.Duration(0)
				for b.Loop() {
					n, cpu := recordSteadily(b, place(b), tr, rate)
					queries, used = queries+n, used+cpu
				}
				b.ReportMetric(float64(used.Nanoseconds())/1000/float64(queries), "cpu-us/query")
			})
		}
	}
}

func recordSteadily(b *testing.B, url string, tr *traffic, rate int) (queries int, used time.Duration) {
	const every, lasts = 20 * time.Millisecond, 3 * time.Second
	d := newDesk(b)
	child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childVariable+"=1", "CHILD_NATS="+d.url, "CHILD_DATABASE="+url, "CHILD_STEP="+stepMeasure)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	each := rate * int(every) / int(time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range lasts / every {
		d.publishTogether(tr.single(each))
		queries += each
		<-tick.C
	}
	d.empty()
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	var ns int64
	if _, err := fmt.Fscan(out, &ns); err != nil {
		b.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		b.Fatal(err)
	}
	return queries, time.Duration(ns)
}

// publishTogether publishes a batch like a worker: runs in one message, asks in another.
func (d *desk) publishTogether(batch querylog.Batch) {
	d.t.Helper()
	var runs []querylog.Line
	for _, r := range batch.Runs {
		line, err := r.Encode()
		if err != nil {
			d.t.Fatal(err)
		}
		runs = append(runs, line)
	}
	asks, err := querylog.EncodeAsks(batch.Asks)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, line := range querylog.JoinRuns(runs) {
		d.send(d.names.LogRun(), line, nil, 0)
	}
	for _, line := range asks {
		d.send(d.names.LogAsk(), line, nil, 0)
	}
}

// stepMeasure is the step of a child that lives until it is told to end, and then prints what it
// has used.
const stepMeasure = "measure"

func childMeasured(nc *nats.Conn, names messages.Names, db *database.DB) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var before time.Duration
	r, err := querylog.New(querylog.Options{NATS: nc, Names: names, Database: db, Ready: func() { before = cpu() }})
	if err != nil {
		return err
	}
	err = errors.Join(r.Run(ctx), db.Close())
	fmt.Println(strconv.FormatInt(int64(cpu()-before), 10))
	return err
}

// cpu is the CPU time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
