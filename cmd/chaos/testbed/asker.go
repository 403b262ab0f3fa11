//go:build unix

// An asker: a process that asks by seed, writes down what it asked and received, and does not know
// the faults.

package testbed

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages/ask"
)

type asker struct {
	name         string
	urls         string
	seed         uint64
	begin        int64 // unix µs; askers of one scenario share it, and so the accounts of each moment
	load, settle time.Duration
	rate, keys   float64 // asks and new accounts a second
	atOnce       int     // asks that wait, before it waits with the next; 0: any number
	doors        string  // query, submit or both
	plain        bool    // no deadlines, ages, second encoding, nor repeated asks
	onlyNamed    bool    // it asks all under its own name
	mu           sync.Mutex
	out          io.Writer     // under mu
	clients      []*ask.Client // one for each encoding
	named        *ask.Client   // asks under the asker's own name
}

// AskerMain is `chaos asker …`.
func AskerMain(args []string) error {
	a := &asker{}
	fs := flag.NewFlagSet("asker", flag.ContinueOnError)
	fs.StringVar(&a.name, "name", "a", "begins its ids")
	fs.StringVar(&a.urls, "nats", nats.DefaultURL, "servers")
	fs.Uint64Var(&a.seed, "seed", 1, "decides what is asked")
	fs.Int64Var(&a.begin, "begin", time.Now().UnixMicro(), "when the load began, unix microseconds")
	fs.DurationVar(&a.load, "for", 10*time.Second, "how long new questions come")
	fs.DurationVar(&a.settle, "settle", 30*time.Second, "how much longer answers are waited for")
	fs.Float64Var(&a.rate, "rate", 60, "asks a second")
	fs.Float64Var(&a.keys, "keys", 30, "new accounts a second")
	fs.IntVar(&a.atOnce, "at-once", 0, "asks that may wait for an acknowledgement or a reply; 0: any number")
	fs.StringVar(&a.doors, "doors", "both", "query, submit or both")
	fs.BoolVar(&a.plain, "plain", false, "ask in one way only")
	fs.BoolVar(&a.onlyNamed, "only-named", false, "ask all under its own name")
	out := fs.String("out", "", "file of the log")
	if err := fs.Parse(args); err != nil {
		return err
	}
	f, err := os.OpenFile(*out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	a.out = f
	return a.run(context.Background())
}

func (a *asker) run(ctx context.Context) error {
	nc, err := nats.Connect(a.urls, nats.Name("chaos "+a.name), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(200*time.Millisecond),
		nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2)) // a server that stands still is left
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer nc.Close()
	if err := a.connect(nc); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.load+a.settle)
	defer cancel()
	rng := rand.New(rand.NewPCG(a.seed, uint64(len(a.name))+uint64(a.name[len(a.name)-1])))
	tick := time.NewTicker(time.Duration(float64(time.Second) / a.rate))
	defer tick.Stop()
	var asks errgroup.Group
	if asks.SetLimit(-1); a.atOnce > 0 {
		asks.SetLimit(a.atOnce)
	}
	for n := 0; time.Since(time.UnixMicro(a.begin)) < a.load; n++ {
		o := a.question(n, rng)
		asks.Go(func() error { a.one(ctx, o); return nil })
		<-tick.C
	}
	return asks.Wait()
}

// Canaries: text in every e-mail and account, so that they are found where they must not be.
const (
	CanaryName    = "canaryperson"
	CanaryDomain  = "canaryhouse.example"
	canaryAccount = "208877770000"
)

// accountOf is the n-th account of a seed; its first word is the part it plays at the practice
// gateway.
func accountOf(seed uint64, n int) string {
	parts := []string{"signed", "signed", "not-signed", "signed", "debit-only", "no-sign-customer", "signed",
		"abnormal", "refund-only", "not-signed"}
	return EmailOf(parts[n%len(parts)], fmt.Sprintf("%d.%d", seed, n))
}

// EmailOf is the address of an account that plays a part.
func EmailOf(part, who string) string {
	return part + "+" + CanaryName + who + "@" + CanaryDomain
}

func (a *asker) write(l verdict.Line) {
	l.At = time.Now().UnixMicro()
	b, err := json.Marshal(l)
	if err != nil {
		return // strings and a number: cannot fail
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = a.out.Write(append(b, '\n'))
}
