//go:build unix

// The rights of CONSOLE and OPS are enough for the watches of the console's users.

package main

import (
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/console/watches"
	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// watch begins watches as the console does, answers their queries as workers do, and deletes
// one as operators do to forget a person.
func (d *deployed) watch(t *testing.T) {
	t.Helper()
	names, nc := defaultNames(t), d.connect(t, natsconfig.Console)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	asker, err := ask.New(nc, ask.Options{Asker: messages.ConsoleName})
	if err != nil {
		t.Fatal(err)
	}
	w := watches.New(watches.Options{NATS: nc, JetStream: js, Names: names, Asker: asker, Every: time.Second,
		May: func(string, string) (bool, error) { return true, nil }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err := w.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.answerSubmitted(t, names)
	var running sync.WaitGroup
	running.Go(func() { w.Run(t.Context()) })
	t.Cleanup(running.Wait)
	for by, q := range map[string]messages.Query{"li": {UserEmail: "li@example.com"}, "wang": {UserEmail: "wang@example.com", Partner: practicePartner}} {
		if word, err := w.Begin(t.Context(), by, "masked", q); err != nil || word != "begun" {
			t.Fatalf("%q %v", word, err)
		}
		clitest.Eventually(t, by+" is told", func() bool {
			n, err := w.Signed(t.Context(), by)
			return err == nil && n == 1
		})
	}
	ops, err := jetstream.New(d.connect(t, natsconfig.Ops))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := ops.Stream(t.Context(), names.Stream(messages.Watches))
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1, jetstream.WithGetMsgSubject(names.Watch(messages.WatchKept, "*", "*")))
	if err == nil {
		err = stream.SecureDeleteMsg(t.Context(), m.Sequence)
	}
	if err != nil {
		t.Error(err)
	}
}

// answerSubmitted takes what the console submits, and replies that it is signed.
func (d *deployed) answerSubmitted(t *testing.T, names messages.Names) {
	t.Helper()
	worker, err := jetstream.New(d.connect(t, natsconfig.Worker))
	if err != nil {
		t.Fatal(err)
	}
	replies, err := jetstream.New(d.connect(t, natsconfig.Replies))
	if err != nil {
		t.Fatal(err)
	}
	c, err := worker.Consumer(t.Context(), names.Stream(messages.Submitted), messages.ConsumerSubmitted)
	if err != nil {
		t.Fatal(err)
	}
	answering, err := c.Consume(func(m jetstream.Msg) {
		e, _ := names.ParseEnvelope(m.Subject(), m.Headers(), m.Data())
		q, _, err := e.Query()
		if by := names.AskerOf(m.Subject()); by != messages.ConsoleName {
			t.Errorf("%s is submitted by %q", m.Subject(), by)
		}
		data, derr := messages.Result{V: messages.Version, ID: q.ID, Outcome: messages.Signed}.Encode(messages.JSON)
		_, perr := replies.PublishMsg(t.Context(), &nats.Msg{Subject: names.ReplyOf(messages.ConsoleName), Data: data,
			Header: nats.Header{messages.HeaderContentType: {string(messages.JSON)}}})
		if err := errors.Join(err, derr, perr); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		_ = m.Ack()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(answering.Stop)
}
