// No user receives another's messages, and the servers keep nothing of a question after its
// answer.

package natsconfig_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
	"protocolq/worker/outbox"
)

func TestNobodyReceivesAnythingElse(t *testing.T) {
	c := config(t)
	s := start(t, c)
	n := names(t)
	foreign := []string{">", "*.>", messages.DefaultPrefix + ".>", "_INBOX.>", "_R_.>", "$JS.>", "$JS.ACK.>", "$SYS.>", n.Journal() + "*", n.Followed() + "*", n.Member(">"), n.Changed(">"),
		n.Reply() + ">", n.Dead("*"), n.LogRun(), n.Submit(), n.Query(), n.QueryAll(), n.Event("*", "*"), "$JS.EVENT.ADVISORY.>", messages.DefaultPrefix + ".event.>"}
	for _, u := range c.Users() {
		foreign = append(foreign, u.Inbox+".>")
	}
	for i, u := range c.Users() {
		nc := s.connect(t, i, u)
		for _, subject := range foreign {
			if own(u, subject) {
				continue
			}
			sub, err := nc.SubscribeSync(subject)
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			if _, err := sub.NextMsg(time.Millisecond); !errors.Is(err, nats.ErrPermissionViolation) && !errors.Is(nc.LastError(), nats.ErrPermissionViolation) {
				t.Errorf("%s may subscribe to %s: %v", u.Name, subject, err)
			}
			if word := nc.LastError(); word == nil || !strings.Contains(word.Error(), `"`+subject+`"`) {
				t.Errorf("%s may subscribe to %s: %v", u.Name, subject, word)
			}
		}
	}
}

// own reports whether the user's rights cover a subject. To the server, a.* covers a
// subscription to a.>, because its last token counts as one token. Only what is imported
// arrives all the same.
func own(u natsconfig.User, subject string) bool {
	one := strings.ReplaceAll(subject, ">", "x")
	for _, right := range u.MaySubscribe() {
		if right == subject || covered(right, one) && !strings.Contains(subject, "*") {
			return true
		}
	}
	return false
}

// Each server keeps the route of a reply until the reply has come. A route kept for longer
// would be memory that grows with each question.
func TestRepliesLeaveNothingBehind(t *testing.T) {
	c := config(t)
	s := start(t, c)
	replies := s.connect(t, 1, userOf(t, c, natsconfig.Replies))
	box := outbox.NewConnection(replies)
	asked := make(chan *nats.Msg, 1)
	if _, err := replies.ChanQueueSubscribe(names(t).QueryAll(), messages.QueueGroup, asked); err != nil {
		t.Fatal(err)
	}
	if err := replies.Flush(); err != nil {
		t.Fatal(err)
	}
	asker := s.connect(t, 0, userOf(t, c, natsconfig.Asker("refunds")))
	eventually(t, "a door", func() bool {
		_, err := asker.Request(names(t).Query(), nil, time.Millisecond)
		return !errors.Is(err, nats.ErrNoResponders)
	})
	const questions = 200
	for range questions {
		sub, err := asker.SubscribeSync(asker.NewInbox())
		if err != nil {
			t.Fatal(err)
		}
		if err := asker.PublishRequest(names(t).Query(), sub.Subject, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		for answered := false; !answered; {
			select {
			case m := <-asked:
				for _, err := range box.Send(ctx, []*nats.Msg{{Subject: m.Reply}}) {
					if err != nil {
						t.Fatal(err)
					}
				}
			case <-time.After(100 * time.Millisecond): // the answer is on its way, or no subscriber got the question
				if err := asker.PublishRequest(names(t).Query(), sub.Subject, nil); err != nil {
					t.Fatal(err)
				}
			case <-ctx.Done():
				t.Fatal("no answer within 10 s")
			}
			_, err := sub.NextMsg(100 * time.Millisecond) // else it was one of the questions that looked for a door
			answered = err == nil
		}
		cancel()
	}
	s.provisioned(t, c)
	js, err := jetstream.New(asker)
	if err != nil {
		t.Fatal(err)
	}
	own, err := js.Consumer(t.Context(), names(t).Stream(messages.Replies), "refunds")
	if err != nil {
		t.Fatal(err)
	}
	for range questions { // a pull has many answers, and none is the last
		batch, err := own.FetchNoWait(1)
		if err != nil {
			t.Fatal(err)
		}
		for range batch.Messages() {
			t.Error("a durable reply")
		}
	}
	if err := asker.Flush(); err != nil {
		t.Fatal(err)
	}
	for i, server := range s.servers {
		for _, a := range c.Accounts {
			eventually(t, fmt.Sprintf("server %d keeps no ways back in %s", i, a.Name), func() bool { return waysBack(t, server, a.Name) <= questions/10 })
		}
	}
}

// waysBack counts the routes that a server keeps for answers from and to an account.
func waysBack(t *testing.T, s *server.Server, account string) int {
	t.Helper()
	a, err := s.LookupAccount(account)
	if err != nil {
		t.Fatal(err)
	}
	return a.NumPendingAllResponses() + a.NumPendingReverseResponses()
}
