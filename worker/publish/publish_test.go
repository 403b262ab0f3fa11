package publish_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/natstest"
	"protocolq/worker/publish"
)

// stream is a server with the stream S on s.>, which keeps one message a subject.
func stream(t testing.TB) *nats.Conn {
	t.Helper()
	nc, js := natstest.JetStream(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxMsgsPerSubject: 1}); err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestPublishGivesTheSequence(t *testing.T) {
	p := publish.New(stream(t))
	for want := uint64(1); want <= 3; want++ {
		got, err := p.Publish(t.Context(), &nats.Msg{Subject: "s.a"})
		if err != nil || got != want {
			t.Fatalf("sequence %d, %v; want %d", got, err, want)
		}
	}
	// The same message once more is acknowledged, in another form, with the sequence of the first.
	again := func() (uint64, error) {
		return p.Publish(t.Context(), &nats.Msg{Subject: "s.b", Header: nats.Header{jetstream.MsgIDHeader: {"x"}}})
	}
	one, err := again()
	two, err2 := again()
	if one != 4 || two != 4 || err != nil || err2 != nil {
		t.Errorf("told twice: %d %v, %d %v; want 4 both times", one, err, two, err2)
	}
}

func TestPublishTellsWhatTheServerSays(t *testing.T) {
	p := publish.New(stream(t))
	_, err := p.Publish(t.Context(), &nats.Msg{Subject: "s.a", Header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: {"7"}}})
	var api *jetstream.APIError
	if !errors.As(err, &api) || api.ErrorCode != 10071 {
		t.Errorf("a wrong sequence: %v; want the server's 10071", err)
	}
	if full := fmt.Errorf("x: %w", &jetstream.APIError{ErrorCode: 10077}); publish.Full(err) || publish.Full(nil) || !publish.Full(full) {
		t.Error("a full stream is told from nothing else")
	}
	tooLong := fmt.Errorf("x: %w", &jetstream.APIError{ErrorCode: 10054})
	if publish.Permanent(err) || publish.Permanent(nil) || !publish.Permanent(tooLong) || !publish.Permanent(fmt.Errorf("x: %w", nats.ErrMaxPayload)) {
		t.Error("what is refused for good is told from what may pass")
	}
	if _, err := p.Publish(t.Context(), &nats.Msg{Subject: "no.stream"}); !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("no stream: %v; want ErrNoStreamResponse", err)
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	nc := stream(t)
	if _, err := nc.Subscribe("silent", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	p := publish.New(nc)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Publish(ctx, &nats.Msg{Subject: "silent"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want the context's error", err)
	}
}

func TestGoIsToldOnce(t *testing.T) {
	nc := stream(t)
	if _, err := nc.Subscribe("silent", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	p := publish.New(nc)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()
	type told struct {
		sequence uint64
		err      error
	}
	heard := make(chan told, 1)
	var times atomic.Int32
	tell := func(n uint64, err error) { times.Add(1); heard <- told{n, err} }
	if err := p.Go(&nats.Msg{Subject: "s.a"}, time.Minute, tell); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != (told{1, nil}) {
		t.Errorf("stored: %v; want 1", got)
	}
	if err := p.Go(&nats.Msg{Subject: "silent"}, time.Millisecond, tell); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; !errors.Is(got.err, publish.ErrNoAck) {
		t.Errorf("overdue: %v; want ErrNoAck", got)
	}
	if err := p.Go(&nats.Msg{Subject: "silent"}, time.Hour, tell); err != nil {
		t.Fatal(err)
	}
	stop()
	if got := <-heard; !errors.Is(got.err, publish.ErrNoAck) {
		t.Errorf("at the end: %v; want ErrNoAck", got)
	}
	<-ended
	if n := times.Load(); n != 3 {
		t.Errorf("told %d times; want 3", n)
	}
}

func TestClosedConnectionIsAnError(t *testing.T) {
	nc := stream(t)
	p := publish.New(nc)
	if _, err := p.Publish(t.Context(), &nats.Msg{Subject: "s.a"}); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if _, err := p.Publish(t.Context(), &nats.Msg{Subject: "s.a"}); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("%v; want ErrConnectionClosed", err)
	}
	if err := p.Go(&nats.Msg{Subject: "s.a"}, time.Minute, func(uint64, error) { t.Error("told") }); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("%v; want ErrConnectionClosed", err)
	}
}

func BenchmarkPublish(b *testing.B) {
	nc := stream(b)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	p := publish.New(nc)
	for name, one := range map[string]func(m *nats.Msg) error{
		"here":   func(m *nats.Msg) error { _, err := p.Publish(b.Context(), m); return err },
		"client": func(m *nats.Msg) error { _, err := js.PublishMsg(b.Context(), m); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(64)
			var n atomic.Uint64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := one(&nats.Msg{Subject: "s." + strconv.FormatUint(n.Add(1)%1000, 10)}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// Messages on their way when the connection breaks are given up at once, though they may wait for
// an hour.
func TestGoIsGivenUpAfterANewConnection(t *testing.T) {
	nc := stream(t)
	if _, err := nc.Subscribe("silent", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	p := publish.New(nc)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go p.Run(ctx)
	heard := make(chan error, 1)
	if err := p.Go(&nats.Msg{Subject: "silent"}, time.Hour, func(_ uint64, err error) { heard <- err }); err != nil {
		t.Fatal(err)
	}
	<-time.After(300 * time.Millisecond) // Run has looked once
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-heard:
		if !errors.Is(err, publish.ErrNoAck) {
			t.Errorf("%v; want ErrNoAck", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("still waited for")
	}
}

// A wait for a missing acknowledgement ends in time, without a timer for each.
func TestPublishWithinIsGivenUp(t *testing.T) {
	nc := stream(t)
	if _, err := nc.Subscribe("silent", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	p := publish.New(nc)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go p.Run(ctx)
	begun := time.Now()
	_, err := p.PublishWithin(t.Context(), 300*time.Millisecond, &nats.Msg{Subject: "silent"})
	if d := time.Since(begun); !errors.Is(err, publish.ErrNoAck) || d < 300*time.Millisecond || d > 5*time.Second {
		t.Errorf("%v after %v; want ErrNoAck after 300 to 550 ms", err, d)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := p.PublishWithin(gone, time.Hour, &nats.Msg{Subject: "silent"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want that of the context", err)
	}
}
