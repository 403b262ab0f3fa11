// The asking of protocolq bench: which account is next, how it is sent, and who receives the
// answer.

package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/bench/load"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
)

// benchAsker sends the asks of one load over one connection. Each has its own subject for its
// answer, which ends in its number; acknowledgements of the stream come to another subject.
type benchAsker struct {
	nc       *nats.Conn
	f        *benchFlags
	run      string          // part of every made-up account: no run gets remembered answers of an earlier one
	accounts func(int64) int // which account ask n is about; only the load's own goroutine calls it
	load     *load.Load
	subject  string // where asks go
	answers  string // with a dot at its end, below it the answers
	acks     string // and the stream's acknowledgements; "" without a stream
}

func (a *benchAsker) subjects(names messages.Names) {
	a.subject, a.answers = names.Query(), a.nc.NewInbox()+"."
	if a.f.partner != "" {
		a.subject = names.QueryOf(a.f.partner)
	}
	if !a.f.submit {
		return
	}
	a.acks, a.subject = a.nc.NewInbox()+".", names.Submit()
	if a.f.partner != "" {
		a.subject = names.SubmitOf(a.f.partner, "")
	}
	if a.f.durable {
		a.answers = names.ReplyOf("bench-" + a.run + ".")
	}
}

// drawer gives the account that an ask is about, by its place in the list.
func (f *benchFlags) drawer() func(int64) int {
	switch {
	case f.same:
		return func(int64) int { return 0 }
	case f.zipf > 0:
		// the same draws in every run, to be compared
		z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), f.exponent, 1, uint64(f.zipf-1))
		return func(int64) int { return int(z.Uint64()) }
	}
	return func(n int64) int { return int(n) }
}

// query is the question about the account in that place.
func (a *benchAsker) query(place int) messages.Query {
	q := messages.Query{V: messages.Version, Partner: a.f.partner}
	if len(a.f.list) == 0 {
		q.UserEmail = "bench+" + a.run + "." + strconv.Itoa(place) + "@example.com"
		return q
	}
	account := a.f.list[place%len(a.f.list)]
	if strings.Contains(account, "@") {
		q.UserEmail = account
	} else {
		q.AccountNo = account
	}
	return q
}

// send begins ask n.
func (a *benchAsker) send(n int64) error {
	q := a.query(a.accounts(n))
	number := strconv.FormatInt(n, 10)
	q.ID = a.run + "." + number
	q.DeadlineMs = time.Now().Add(a.f.timeout).UnixMilli() // no call is made for an ask that was given up
	reply := a.answers + number
	if a.acks != "" {
		q.ReplyTo, reply = reply, a.acks+number
	}
	msg, err := natsconn.Message(a.subject, q)
	if err != nil {
		return err
	}
	msg.Reply = reply
	return a.nc.PublishMsg(msg)
}

// listen receives the answers until the connection is closed.
func (a *benchAsker) listen() error {
	for prefix, receive := range map[string]func(int64, *nats.Msg){a.answers: a.answered, a.acks: a.stored} {
		if prefix == "" {
			continue
		}
		sub, err := a.nc.Subscribe(prefix+"*", func(m *nats.Msg) {
			if n, err := strconv.ParseInt(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64); err == nil {
				receive(n, m)
			}
		})
		if err == nil {
			err = sub.SetPendingLimits(-1, -1) // bounded by what may be outstanding
		}
		if err != nil {
			return fmt.Errorf("listen for answers: %w", err)
		}
	}
	if err := a.nc.Flush(); err != nil {
		return fmt.Errorf("listen for answers: %w", err)
	}
	if word := natsconn.Forbade(a.nc); word != nil {
		return fmt.Errorf("listen for answers: %w", word)
	}
	return nil
}

func (a *benchAsker) answered(n int64, m *nats.Msg) {
	if isNobody(m) {
		a.load.Answered(n, load.Answer{Err: errNoResponders})
		return
	}
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	if err != nil {
		a.load.Answered(n, load.Answer{Err: "answer not understood"})
		return
	}
	a.load.Answered(n, load.Answer{Outcome: string(r.Outcome), Code: r.Code, Source: string(r.Source)})
}

// stored receives from the stream: only its refusal ends an ask.
func (a *benchAsker) stored(n int64, m *nats.Msg) {
	var ack struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	switch {
	case isNobody(m):
		a.load.Answered(n, load.Answer{Err: "no stream takes it"})
	case json.Unmarshal(m.Data, &ack) != nil:
		a.load.Answered(n, load.Answer{Err: "acknowledgement not understood"})
	case ack.Error != nil:
		a.load.Answered(n, load.Answer{Err: "the stream refused it: " + ack.Error.Description})
	}
}

// isNobody reports whether the server says that there are no responders.
func isNobody(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }

// readAccounts reads a file of accounts. Empty lines and lines that begin with # are left out.
func readAccounts(path string) ([]string, error) {
	data, err := cli.ReadBounded(path, maxAccountFile)
	if err != nil {
		return nil, err
	}
	var list []string
	number := 0
	for line := range bytes.Lines(data) {
		number++
		account := string(bytes.TrimSpace(line))
		if account == "" || account[0] == '#' {
			continue
		}
		q := messages.Query{V: messages.Version, UserEmail: account}
		if !strings.Contains(account, "@") {
			q = messages.Query{V: messages.Version, AccountNo: account}
		}
		if err := q.Check(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		list = append(list, account)
	}
	if len(list) == 0 {
		return nil, errors.New(path + " holds no account")
	}
	return list, nil
}
