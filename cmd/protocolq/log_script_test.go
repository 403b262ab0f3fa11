// Lines for the scripts of the query log: those of a small fleet, published as workers publish
// them.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"protocolq/messages"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// scriptLines is `lines KEYFILE`: puts the lines of a small story into the stream LOG, which it
// makes if it is missing.
//
// Two askers wait for one run, which a worker's death cut once and the gateway refused once. A
// third receives the remembered answer. One asks about somebody else, who has not signed. One
// is refused.
func scriptLines(ts *testscript.TestScript, _ bool, args []string) {
	h, err := querylog.NewHasher([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	names, err := messages.NewNames(messages.DefaultPrefix)
	ts.Check(err)
	js, err := jetstream.New(scriptConnect(ts))
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ts.Check(logStream(ctx, js, names))
	runs, asks := story(h, time.Now().Add(-time.Minute).Truncate(time.Millisecond))
	for _, r := range runs {
		line, err := r.Encode()
		ts.Check(err)
		ts.Check(publishLine(ctx, js, names.LogRun(), line))
	}
	lines, err := querylog.EncodeAsks(asks)
	ts.Check(err)
	for _, line := range lines {
		ts.Check(publishLine(ctx, js, names.LogAsk(), line))
	}
	ts.Check(publishLine(ctx, js, names.LogAsk(), querylog.Line{MsgID: "nonsense", Data: []byte("canary@example.com")}))
}

// logStream makes the stream of lines and its consumer.
func logStream(ctx context.Context, js jetstream.JetStream, names messages.Names) error {
	stream := names.Stream(messages.Log)
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: stream, Subjects: names.Captures(messages.Log), Retention: jetstream.WorkQueuePolicy})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return err
	}
	_, err = js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{Durable: querylog.Consumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 10 * time.Second, MaxDeliver: -1})
	return err
}

func publishLine(ctx context.Context, js jetstream.JetStream, subject string, line querylog.Line) error {
	m := nats.NewMsg(subject)
	m.Data = line.Data
	_, err := js.PublishMsg(ctx, m, jetstream.WithMsgID(line.MsgID))
	return err
}

const storyPartner = "2088000000000001"

func story(h *querylog.Hasher, at time.Time) ([]querylog.Run, []querylog.Ask) {
	yes, no := true, false
	after := func(ms int) time.Time { return at.Add(time.Duration(ms) * time.Millisecond) }
	runs := []querylog.Run{
		{ID: "RUN-SIGNED", At: at, AnsweredAt: after(2900), Partner: storyPartner, Email: h.Email("canary.alice@example.com"), Key: h.Key("k1"), Outcome: "signed",
			Debit: &yes, Refund: &no, Verified: "verified", Worker: "W2", Deaths: 1, Attempts: []querylog.Attempt{
				{At: at, Cut: true},
				{At: after(2000), DNS: 300 * time.Microsecond, Connect: 2 * time.Millisecond, TLS: 8 * time.Millisecond, FirstByte: 100 * time.Millisecond,
					Total: 120 * time.Millisecond, Code: "SYSTEM_ERROR", Class: "TEMP", HTTPStatus: 200},
				{At: after(2800), FirstByte: 90 * time.Millisecond, Total: 95 * time.Millisecond, HTTPStatus: 200, Reused: true},
			}},
		{ID: "RUN-NO", At: after(4000), AnsweredAt: after(4100), Partner: storyPartner, Account: h.Account("20887777666655554444"), Key: h.Key(messages.Query{Partner: storyPartner, Key: "mine"}.KeyToken()),
			Outcome: "not_signed", Code: "NO_SIGN_CUSTOMER", Verified: "verified", Worker: "W2", Attempts: []querylog.Attempt{{At: after(4000), Total: 80 * time.Millisecond, Code: "NO_SIGN_CUSTOMER", HTTPStatus: 200}}},
	}
	ask := func(n int, from, to int) querylog.Ask {
		return querylog.Ask{Token: fmt.Sprint("TOKEN-", n), At: after(from), AnsweredAt: after(to), Request: h.Request(fmt.Sprint("booking-", n)), Partner: storyPartner,
			Door: "query", Subject: "protocol.query", Reply: "_INBOX.abc.1", Run: "RUN-SIGNED", Outcome: "signed", Email: h.Email("canary.alice@example.com"), Key: h.Key("k1")}
	}
	one, two, three, four, five := ask(1, -5, 2910), ask(2, 500, 2912), ask(3, 3500, 3501), ask(4, 3990, 4120), ask(5, 5000, 5001)
	one.Source, two.Source, three.Source, four.Source = "asked", "joined", "remembered", "asked"
	two.Door, two.Subject, two.Reply = "submit", "protocol.submit", "protocol.reply.bookings"
	four.Run, four.Outcome, four.Code, four.Email, four.Account, four.Key = "RUN-NO", "not_signed", "NO_SIGN_CUSTOMER", querylog.Masked{}, runs[1].Account, runs[1].Key
	five.Run, five.Outcome, five.Code, five.Request = "", "refused", "KEY_CONFLICT", h.Request("=cmd|' /C calc'!canary@example.com")
	five.Field = "key"
	return runs, []querylog.Ask{one, two, three, four, five}
}

// scriptRecorded is `recorded N`: waits until the log lists N asks.
func scriptRecorded(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	url := cmp.Or(ts.Getenv("PROTOCOLQ_DATABASE"), ts.Getenv("DATABASE")) // of the settings, or of the script's dev
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		db, err := database.Open(context.Background(), database.Options{URL: url, ReadOnly: true})
		if err != nil {
			continue
		}
		page, err := db.List(context.Background(), database.Filter{}, database.Cursor{}, database.MaxPage)
		ts.Check(errors.Join(err, db.Close()))
		if len(page.Asks) >= want {
			return
		}
	}
	ts.Fatalf("the log has not got %d asks in time", want)
}
