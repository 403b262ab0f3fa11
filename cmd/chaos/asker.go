//go:build unix

// An asker: a process that asks by seed, writes down what it asked and heard, and knows nothing of the faults.

package main

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

	"protocolq/messages"
	"protocolq/messages/ask"
)

// line is one line of an asker's log. Times are unix microseconds.
type line struct {
	At      int64  `json:"at"`
	What    string `json:"what"` // sent, acked, told or gave-up
	ID      string `json:"id"`
	Door    string `json:"door,omitempty"` // query or submit
	Email   string `json:"email,omitempty"`
	Account string `json:"account,omitempty"`
	Key     string `json:"key,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Code    string `json:"code,omitempty"`
	Run     string `json:"run,omitempty"`
	Source  string `json:"source,omitempty"`
	Err     string `json:"err,omitempty"`
}

type asker struct {
	name         string
	urls         string
	seed         uint64
	begin        int64 // unix µs; askers of one scenario share it, and so the accounts of each moment
	load, settle time.Duration
	rate, keys   float64 // asks and new accounts a second
	doors        string  // query, submit or both
	mu           sync.Mutex
	out          io.Writer // under mu
	client       *ask.Client
}

// askerMain is `chaos asker …`.
func askerMain(args []string) error {
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
	fs.StringVar(&a.doors, "doors", "both", "query, submit or both")
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
	nc, err := nats.Connect(a.urls, nats.Name("chaos "+a.name), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer nc.Close()
	if a.client, err = ask.New(nc, ask.Options{Try: 2 * time.Second, MaxTry: 4 * time.Second}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.load+a.settle)
	defer cancel()
	rng := rand.New(rand.NewPCG(a.seed, uint64(len(a.name))+uint64(a.name[len(a.name)-1])))
	tick := time.NewTicker(time.Duration(float64(time.Second) / a.rate))
	defer tick.Stop()
	var asks sync.WaitGroup
	for n := 0; time.Since(time.UnixMicro(a.begin)) < a.load; n++ {
		q := a.question(n, rng)
		byQuery := a.doors == "query" || a.doors == "both" && rng.IntN(2) == 0
		asks.Go(func() { a.one(ctx, q, byQuery) })
		<-tick.C
	}
	asks.Wait()
	return nil
}

// question is about one of the accounts of the moment: a new one, or one that others ask about, too.
func (a *asker) question(n int, rng *rand.Rand) messages.Query {
	account := max(0, int(time.Since(time.UnixMicro(a.begin)).Seconds()*a.keys)-min(rng.IntN(8), rng.IntN(8)))
	q := messages.Query{ID: fmt.Sprintf("%s-%d", a.name, n), UserEmail: accountOf(a.seed, account)}
	if account%2 == 1 {
		q.Key = fmt.Sprintf("order-%d-%d", a.seed, account)
	}
	if account%3 == 1 {
		q.AccountNo = fmt.Sprintf("%s%08d", canaryAccount, account)
	}
	return q
}

// Canaries: what everybody's e-mail and account has in it, so that it is found where it must not be.
const (
	canaryName    = "canaryperson"
	canaryDomain  = "canaryhouse.example"
	canaryAccount = "208877770000"
)

// accountOf names the n-th account of a seed; its first word is the part it plays at the practice gateway.
func accountOf(seed uint64, n int) string {
	parts := []string{"signed", "signed", "not-signed", "signed", "debit-only", "no-sign-customer", "signed", "abnormal", "refund-only", "not-signed"}
	return emailOf(parts[n%len(parts)], fmt.Sprintf("%d.%d", seed, n))
}

// emailOf is the address of somebody who plays a part.
func emailOf(part, who string) string {
	return part + "+" + canaryName + who + "@" + canaryDomain
}

func (a *asker) one(ctx context.Context, q messages.Query, byQuery bool) {
	if byQuery {
		a.write(line{What: "sent", ID: q.ID, Door: messages.DoorQuery, Email: q.UserEmail, Account: q.AccountNo, Key: q.Key})
		r, err := a.client.Ask(ctx, q)
		if err != nil {
			a.write(line{What: "gave-up", ID: q.ID, Err: err.Error()})
			return
		}
		a.write(line{What: "told", ID: q.ID, Outcome: string(r.Outcome), Code: r.Code, Run: r.Run, Source: string(r.Source)})
		return
	}
	q.ReplyTo = "protocol.reply.chaos." + q.ID
	a.write(line{What: "sent", ID: q.ID, Door: messages.DoorSubmit, Email: q.UserEmail, Account: q.AccountNo, Key: q.Key})
	if _, err := a.client.Submit(ctx, q); err != nil {
		a.write(line{What: "gave-up", ID: q.ID, Err: err.Error()})
		return
	}
	a.write(line{What: "acked", ID: q.ID})
}

func (a *asker) write(l line) {
	l.At = time.Now().UnixMicro()
	b, err := json.Marshal(l)
	if err != nil {
		return // strings and a number: cannot be
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = a.out.Write(append(b, '\n'))
}
