// BACKUP copies and restores every stream, and is refused everything else.

package natsconfig_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
)

func TestBackup(t *testing.T) {
	o := options()
	o.Backup = true
	c, err := natsconfig.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.Accounts[0].Users = append(c.Accounts[0].Users, natsconfig.User{Name: witnessUser, Inbox: "_INBOX_witness", Publish: []string{">"}})
	s := start(t, c)
	s.provisioned(t, c)
	w := newWitness(t, s, c)
	w.seed(t, names(t))
	nc := s.connect(t, 1, userOf(t, c, natsconfig.Backup))
	streams := []string{names(t).StreamHTTP("shop")}
	for _, k := range append(messages.Kinds(), messages.Watches) {
		streams = append(streams, names(t).Stream(k))
	}
	js, err := jetstream.New(s.connect(t, 2, userOf(t, c, witnessUser)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), names(t).HTTP("shop", messages.HTTPAnswer, "x"), []byte("x"), jetstream.WithRetryAttempts(40)); err != nil {
		t.Fatal(err)
	}
	for _, name := range streams {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		before := stream.CachedInfo().State
		if before.Msgs == 0 {
			t.Fatalf("nothing is in %s", name)
		}
		kept := backUp(t, nc, name)
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		kept.restore(t, nc, name)
		var after jetstream.StreamState
		eventually(t, name+" as it was, with its consumers, which a cluster makes one after the other", func() bool {
			if stream, err = js.Stream(t.Context(), name); err != nil {
				return false
			}
			after = stream.CachedInfo().State
			return after.Consumers == before.Consumers
		})
		if after.Msgs != before.Msgs || after.LastSeq != before.LastSeq {
			t.Errorf("%s: %+v before, %+v after", name, before, after)
		}
	}
	if err := nc.LastError(); err != nil {
		t.Errorf("what is needed was refused: %v", err)
	}
	// As deploy/nats/README.md says of it, the end of a copy is a message without a body. It
	// goes to the subject that the request names.
	events := names(t).Stream(messages.Events)
	if _, err := nc.Request("$JS.API.STREAM.SNAPSHOT."+events, []byte(`{"deliver_subject":"$JS.API.STREAM.DELETE.`+events+`"}`), time.Minute); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a copy deletes a stream", func() bool { return !slices.Contains(w.names(t), events) })
	n := names(t)
	journal, dead := n.Stream(messages.Journal), n.Stream(messages.Dead)
	for _, subject := range []string{"$JS.API.STREAM.DELETE." + journal, "$JS.API.STREAM.PURGE." + journal, "$JS.API.STREAM.UPDATE." + journal,
		"$JS.API.STREAM.CREATE." + journal, "$JS.API.STREAM.MSG.GET." + journal, "$JS.API.DIRECT.GET." + dead, "$JS.API.STREAM.MSG.DELETE." + dead,
		"$JS.API.CONSUMER.CREATE." + journal + ".thief", "$JS.API.STREAM.SNAPSHOT.OTHER", "$JS.API.STREAM.RESTORE.OTHER",
		n.Query(), n.Submit(), n.Journal() + "m1", n.Intake(), n.Forget(), n.Redrive("0"), "_INBOX_wk.x"} {
		if err := nc.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		refused(t, nc, subject)
	}
	for _, subject := range []string{">", n.Followed() + "*", "_INBOX_wk.>", n.Members()} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		refused(t, nc, subject)
	}
}

// refused checks that the server has refused a subject.
func refused(t *testing.T, nc *nats.Conn, subject string) {
	t.Helper()
	if err := nc.FlushTimeout(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := nc.LastError(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", subject)) {
		t.Errorf("%s is not refused: %v", subject, err)
	}
}

// No asker may have the name that is part of BACKUP's inbox.
func TestBackupName(t *testing.T) {
	for _, name := range []string{"backup", "Backup"} {
		o := options()
		o.Askers = append(o.Askers, name)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), "is the fleet's own") {
			t.Errorf("an asker %s: %v", name, err)
		}
	}
}

// copied is a stream as JetStream sends it.
type copied struct {
	Config, State, Error json.RawMessage
	chunks               [][]byte
}

// backUp reads a stream as `nats stream backup` does.
func backUp(t *testing.T, nc *nats.Conn, stream string) (b copied) {
	t.Helper()
	sub, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	answer, err := nc.Request("$JS.API.STREAM.SNAPSHOT."+stream, fmt.Appendf(nil, `{"deliver_subject":%q,"chunk_size":65536}`, sub.Subject), time.Minute)
	if err == nil {
		err = json.Unmarshal(answer.Data, &b)
	}
	if err != nil || b.Error != nil {
		t.Fatalf("%s: %v %s", stream, err, b.Error)
	}
	for {
		m, err := sub.NextMsg(20 * time.Second)
		if err != nil {
			t.Fatalf("%s: %v", stream, err)
		}
		if len(m.Data) == 0 {
			return b
		}
		b.chunks = append(b.chunks, m.Data)
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// restore makes a stream as `nats stream restore` does.
func (b copied) restore(t *testing.T, nc *nats.Conn, stream string) {
	t.Helper()
	ask := func(subject string, body []byte) string {
		t.Helper()
		var m *nats.Msg
		var err error
		eventually(t, "somebody who takes "+subject, func() bool { // a server learns late of another's subscriptions
			m, err = nc.Request(subject, body, time.Minute)
			return !errors.Is(err, nats.ErrNoResponders)
		})
		var answer struct {
			Deliver string          `json:"deliver_subject"`
			Error   json.RawMessage `json:"error"`
		}
		if err == nil && len(m.Data) > 0 {
			err = json.Unmarshal(m.Data, &answer)
		}
		if err != nil || answer.Error != nil {
			t.Fatalf("%s: %v %s", subject, err, answer.Error)
		}
		return answer.Deliver
	}
	to := ask("$JS.API.STREAM.RESTORE."+stream, fmt.Appendf(nil, `{"config":%s,"state":%s}`, b.Config, b.State))
	for _, chunk := range b.chunks {
		ask(to, chunk)
	}
	ask(to, nil)
}
