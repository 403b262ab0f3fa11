//go:build unix

// What an asker asks, and how: with and without a deadline, an age, a name, in either encoding,
// once or repeatedly.

package testbed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// order is one question and how to ask it.
type order struct {
	q       messages.Query
	client  *ask.Client
	submit  bool
	durable bool // the reply goes into a stream
	again   bool // ask once more, with the same id, after the reply
}

// connect makes the clients.
func (a *asker) connect(nc *nats.Conn) (err error) {
	o := ask.Options{Try: 2 * time.Second, MaxTry: 4 * time.Second}
	for _, o.Encoding = range []messages.Encoding{messages.MsgPack, messages.JSON} {
		c, err := ask.New(nc, o)
		if err != nil {
			return err
		}
		a.clients = append(a.clients, c)
	}
	o.Asker = "chaos-" + a.name
	a.named, err = ask.New(nc, o)
	return err
}

// How an asker's questions differ, in percent.
const (
	oldAccounts  = 5  // are about an account from some seconds before, which is remembered
	oldAges      = 5  // the same, but the answer must be young
	youngAges    = 5  // are about a present account, with an age
	withDeadline = 10 // have a deadline
	inJSON       = 30
	durably      = 10 // of those by the awaiting door: the reply goes into a stream
	byName       = 20 // of submitted ones without a key: the reply goes to the asker's name
	askedAgain   = 4
)

// question is about one of the present accounts: a new one, or one that others ask about, too.
func (a *asker) question(n int, rng *rand.Rand) order {
	since := time.Since(time.UnixMicro(a.begin)).Seconds()
	o := order{submit: a.doors == "submit" || a.doors == "both" && rng.IntN(2) == 0, client: a.clients[0]}
	account := max(0, int(since*a.keys)-min(rng.IntN(8), rng.IntN(8)))
	var deadline time.Duration
	var age *int64
	if !a.plain {
		switch roll := rng.IntN(100); {
		case roll < oldAccounts+oldAges:
			account = max(0, account-int((4+2*rng.Float64())*a.keys))
			if roll >= oldAccounts {
				age = new(rng.Int64N(3000))
			}
		case roll < oldAccounts+oldAges+youngAges:
			age = new(rng.Int64N(2000))
		case roll < oldAccounts+oldAges+youngAges+withDeadline:
			deadline = 2500*time.Millisecond + time.Duration(rng.IntN(3000))*time.Millisecond
		}
		if rng.IntN(100) < inJSON {
			o.client = a.clients[1]
		}
		o.again = rng.IntN(100) < askedAgain
	}
	o.q = a.about(n, account)
	if age != nil && o.q.Key == "" { // no asker limits the age with a key
		o.q.MaxAgeMs = age
	}
	if deadline > 0 {
		o.q.DeadlineMs = time.Now().Add(deadline).UnixMilli()
	}
	a.answered(&o, rng)
	return o
}

// about is the question about an account.
func (a *asker) about(n, account int) messages.Query {
	q := messages.Query{ID: fmt.Sprintf("%s-%d", a.name, n), UserEmail: accountOf(a.seed, account)}
	if account%2 == 1 {
		q.Key = fmt.Sprintf("order-%d-%d", a.seed, account)
	}
	if account%3 == 1 {
		q.AccountNo = fmt.Sprintf("%s%08d", canaryAccount, account)
	}
	return q
}

// answered sets where the reply goes.
func (a *asker) answered(o *order, rng *rand.Rand) {
	switch roll := rng.IntN(100); {
	case a.onlyNamed:
		o.client, o.q.Partner = a.named, verdict.Partner
		if !o.submit {
			return
		}
	case o.submit && !a.plain && roll < byName && o.q.Key == "": // a key with a name means the name's own request
		o.client, o.q.Partner = a.named, verdict.Partner
	case o.submit, !a.plain && roll < durably:
		o.q.ReplyTo = "protocol.reply.chaos." + o.q.ID
	default:
		return
	}
	o.durable = true
}

// one asks, and asks again if the plan says so, or if the answer is final for this id.
func (a *asker) one(ctx context.Context, o order) {
	for times := 0; times < 2; times++ {
		door := messages.DoorQuery
		if o.submit {
			door = messages.DoorSubmit
		}
		a.write(verdict.Line{What: "sent", ID: o.q.ID, Door: door, Email: o.q.UserEmail, Account: o.q.AccountNo,
			Key:      o.q.Key,
			Deadline: o.q.DeadlineMs * 1000, MaxAge: o.q.MaxAgeMs, Durable: o.durable})
		r, err := a.ask(ctx, o)
		switch {
		case err != nil:
			a.write(verdict.Line{What: "gave-up", ID: o.q.ID, Err: err.Error()})
			return
		case r.Outcome == messages.Accepted:
			a.write(verdict.Line{What: "acked", ID: o.q.ID})
		default:
			a.write(verdict.Line{What: "told", ID: o.q.ID, Outcome: string(r.Outcome), Code: r.Code, Run: r.Run,
				Source: string(r.Source), Says: verdict.Said(r)})
		}
		if !o.again && r.Code != messages.Crashed || o.durable && !o.submit {
			return
		}
	}
}

// ask asks once. A query that a stream stored is accepted.
func (a *asker) ask(ctx context.Context, o order) (messages.Result, error) {
	if !o.submit {
		return o.client.Ask(ctx, o.q)
	}
	_, err := o.client.Submit(ctx, o.q)
	return messages.Result{Outcome: messages.Accepted}, err
}
