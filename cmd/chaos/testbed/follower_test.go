//go:build unix

// Following a real journal: what was published before, while nobody listened, or is purged by now.

package testbed

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/natstest"
)

func TestTheJournalIsFollowed(t *testing.T) {
	nc, js := natstest.JetStream(t)
	o := journal.JetStreamOptions{Conn: nc, Stream: "PROTOCOL_JOURNAL", Journal: "protocol.journal.", Followed: "protocol.followed."}
	if _, err := js.CreateStream(t.Context(), o.Config(1, 1<<20)); err != nil {
		t.Fatal(err)
	}
	number := uint64(0)
	write := func(n int) {
		t.Helper()
		for range n {
			number++
			data, err := journal.Encode(number, number-1, &journal.Ask{Token: fmt.Sprint(number), Door: journal.Await, MaxAge: -1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(t.Context(), "protocol.journal.m1", data); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(700) // more than one get gives
	f, err := follow(nc, o.Stream, o.Journal, o.Followed)
	if err != nil {
		t.Fatal(err)
	}
	write(20)
	told, err := f.all(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := told[0]; len(told) != 1 || len(c.Batches) != 720 || len(c.Missed)+len(c.Corrupt) != 0 {
		t.Fatalf("%d batches, missed %v, corrupt %v", len(c.Batches), c.Missed, c.Corrupt)
	}
	if b := told[0].Batches[719]; b.Position != 720 || b.Number != 720 || b.Member != "m1" || time.Since(time.UnixMicro(b.Stored)) > time.Minute || b.Entries[0].Token != "720" {
		t.Errorf("the last batch is %+v", b)
	}
	stream, err := js.Stream(t.Context(), o.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(710)); err != nil {
		t.Fatal(err)
	}
	if told, err = f.all(t.Context()); err != nil || len(told[0].Batches) != 720 || len(told[0].Missed) != 0 {
		t.Errorf("after a purge: %d batches, missed %v, %v", len(told[0].Batches), told[0].Missed, err)
	}
	f.Renew()
	if _, err := js.Publish(t.Context(), "protocol.journal.m2", []byte("no batch")); err != nil {
		t.Fatal(err)
	}
	told, err = f.all(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := told[1]; len(told) != 2 || len(c.Batches) != 11 || len(c.Missed) != 1 || len(c.Corrupt) != 1 {
		t.Errorf("of another journal: %d batches, missed %v, corrupt %v", len(c.Batches), c.Missed, c.Corrupt)
	}
}

// What is diverted takes nothing more, keeps what it has, and may be deleted and made again.
func TestAStreamIsDiverted(t *testing.T) {
	nc, js := natstest.JetStream(t)
	o, err := observeBy(nc, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer o.stop()
	h := &Bed{Observer: o}
	for _, kind := range []struct {
		name    string
		subject string
		policy  jetstream.RetentionPolicy
	}{{"EVENTS", "protocol.event.*.*", jetstream.LimitsPolicy}, {"LOG", "protocol.log.>", jetstream.WorkQueuePolicy}} {
		stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PROTOCOL_" + kind.name, Subjects: []string{kind.subject}, Retention: kind.policy})
		if err != nil {
			t.Fatal(err)
		}
		if kind.name == "LOG" {
			if _, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "recorder", FilterSubject: kind.subject}); err != nil {
				t.Fatal(err)
			}
		} else if _, err := js.Publish(t.Context(), "protocol.event.a.b", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := h.Divert(t.Context(), messages.Kind(kind.name)); err != nil {
			t.Fatalf("%s: %v", kind.name, err)
		}
	}
	if _, err := js.Publish(t.Context(), "protocol.event.a.b", []byte("y")); err == nil {
		t.Error("what is diverted takes more")
	}
	if n := len(o.saved[messages.Events]); n != 1 {
		t.Errorf("%d messages are saved", n)
	}
}
