// No asker gets all of a shared resource: the streams of dead letters and of durable replies, on a
// real server.

package worker_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// 1,050 unreadable messages of 64 KiB were 64 MiB of dead letters: all the room that there is, and
// real dead letters vanished.
func TestUnreadableMessagesLeaveRoomForDeadLetters(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.anyLength()
	f.start()
	garbage := bytes.Repeat([]byte("garbage "), messages.MaxMessage/8)
	const many = 1050
	for i := range many {
		garbage[0] = byte(i)
		if _, err := f.js.Publish(t.Context(), f.names.Submit(), garbage); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "a letter of each", func() bool { return f.stream(messages.Dead).Msgs == many })
	late := messages.Query{UserEmail: email("signed", "late"), DeadlineMs: time.Now().Add(-time.Second).UnixMilli()}
	f.submitted(f.names.Submit(), late)
	within(t, "a real letter", func() bool { return f.storedOn(messages.Dead, f.names.Dead(messages.DeadExpired)) == 1 })
	if s := f.stream(messages.Dead); s.Bytes > many*2<<10 {
		t.Errorf("%d letters of what cannot be read take %d bytes", many, s.Bytes)
	}
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Dead))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(t.Context(), 1)
	if err != nil || len(m.Data) != 1<<10 || len(m.Header.Get(messages.HeaderBodySum)) != 64 {
		t.Errorf("%d bytes, %v, %v", len(m.Data), m.Header, err)
	}
	f.wantRest()
}

// anyLength lets submitted messages be as long as in a stream of version 0.1.
func (f *fleet) anyLength() {
	f.t.Helper()
	f.change(messages.Submitted, func(c *jetstream.StreamConfig) { c.MaxMsgSize = -1 })
}

// However many queries of one asker are refused, they use half of the stream of dead letters: there
// is room for what could not be answered.
func TestRefusalsLeaveRoomForDeadLetters(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	const room = 256 << 10
	f.bound(messages.Dead, room)
	w := f.start()
	n := 0
	within(t, "refusals make way", func() bool {
		for range 20 {
			n++
			if err := f.nc.Publish(f.names.Query(), []byte("garbage "+strconv.Itoa(n))); err != nil {
				t.Fatal(err)
			}
			if _, err := f.js.Publish(t.Context(), f.names.Submit(), []byte("garbage "+strconv.Itoa(n))); err != nil {
				t.Fatal(err)
			}
		}
		return w.Stats().Lost > 100
	})
	late := messages.Query{UserEmail: email("signed", "late"), DeadlineMs: time.Now().Add(-time.Second).UnixMilli()}
	f.submitted(f.names.Submit(), late)
	within(t, "a real letter", func() bool { return f.storedOn(messages.Dead, f.names.Dead(messages.DeadExpired)) == 1 })
	f.wantRest()
	if s := f.stream(messages.Dead); s.Bytes > room*7/8 {
		t.Errorf("%d of %d bytes are taken", s.Bytes, room)
	}
}

// One remembered question, asked again and again for durable replies on many subjects, filled their
// stream in two minutes, and no other asker's replies found room.
func TestRepliesOfOneAskerLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	const room = 4 << 20
	f.bound(messages.Replies, room)
	f.start()
	greedy := messages.Query{UserEmail: email("signed", "greedy"), Meta: map[string]string{}}
	for i := range 4 {
		greedy.Meta[strconv.Itoa(i)] = strings.Repeat("x", 250)
	}
	f.ask(greedy)
	n, most := 0, uint64(0)
	flood := func(times int) {
		for range times {
			n++
			greedy.ReplyTo = f.names.ReplyOf("greedy." + strconv.Itoa(n))
			if err := f.nc.Publish(f.names.Query(), packed(t, greedy)); err != nil {
				t.Fatal(err)
			}
		}
		most = max(most, f.stream(messages.Replies).Bytes)
	}
	within(t, "it is let in no more", func() bool {
		flood(100)
		r := f.ask(greedy)
		return r.Code == messages.Overloaded && r.Retryable && f.stream(messages.Replies).Bytes > room/2
	})
	for range 50 {
		flood(100)
	}
	modest := messages.Query{ID: "modest", UserEmail: email("signed", "modest"), ReplyTo: f.names.ReplyOf("modest")}
	if r := f.ask(modest); r.Outcome != messages.Accepted {
		t.Errorf("another asker: %s", refusal(r))
	}
	within(t, "another asker's reply", func() bool { return f.storedOn(messages.Replies, modest.ReplyTo) == 1 })
	if most > room*7/8 {
		t.Errorf("%d of %d bytes were taken", most, room)
	}
	// What was read makes room.
	js, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Replies), jetstream.ConsumerConfig{Durable: "greedy",
		FilterSubject: f.names.ReplyOf("greedy.>"), AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: -1})
	if err != nil {
		t.Fatal(err)
	}
	reading, err := js.Consume(func(m jetstream.Msg) { _ = m.Ack() })
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Stop()
	within(t, "it is let in again", func() bool { return f.ask(greedy).Outcome == messages.Accepted })
	within(t, "what was read is gone", func() bool { return f.stream(messages.Replies).Msgs == 1 })
}

// The stream of replies of an earlier version keeps what was read, for a week: a reader that reads
// all of it is not blocked there.
func TestRepliesThatAreKeptHoldUpNobody(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	const room = 1 << 20
	s, err := f.js.Stream(t.Context(), f.names.Stream(messages.Replies))
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	if err := f.js.DeleteStream(t.Context(), c.Name); err != nil {
		t.Fatal(err)
	}
	c.Retention, c.MaxBytes, c.Duplicates = jetstream.LimitsPolicy, room, 100*time.Millisecond
	if _, err := f.js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	f.start()
	to := f.names.ReplyOf("shop")
	for f.stream(messages.Replies).Bytes < room*6/10 {
		if _, err := f.js.Publish(t.Context(), to, make([]byte, 4<<10)); err != nil {
			t.Fatal(err)
		}
	}
	for looks := time.Now().Add(3 * time.Second); time.Now().Before(looks); <-time.After(100 * time.Millisecond) {
		if r := f.ask(messages.Query{UserEmail: email("signed", "shop"), ReplyTo: to}); r.Outcome != messages.Accepted {
			t.Fatal(refusal(r))
		}
	}
}

// The longest possible reply has room in its stream.
func TestLongestReply(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	f.start()
	q := messages.Query{ID: strings.Repeat("🙂", 128), Key: strings.Repeat("🙂", 128), UserEmail: email("no-sign-customer", "long"),
		Meta: map[string]string{}}
	for i := range 4 {
		q.Meta[strings.Repeat(`"`, 16+i)] = strings.Repeat(`"`, 238)
	}
	body, err := q.Encode(messages.JSON)
	if err != nil {
		t.Fatal(err)
	}
	trace := "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	m := &nats.Msg{Subject: f.names.SubmitOf(partner, "shop"), Data: body, Header: nats.Header{messages.Traceparent: {trace}}}
	if _, err := f.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	within(t, "a reply", func() bool { return f.stream(messages.Replies).Msgs == 1 })
	if r := f.durableReply(1); len(r.Meta) != 4 || r.ID != q.ID || f.stream(messages.Replies).Bytes < 3500 {
		t.Errorf("%+v in %d bytes", r, f.stream(messages.Replies).Bytes)
	}
}
