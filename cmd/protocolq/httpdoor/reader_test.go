// The end of a reader.

package httpdoor

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/worker/natstest"
)

// A message that waits for room when its reader ends is not begun. It would go to a webhook
// that was removed.
func TestNothingBegunAfterTheEnd(t *testing.T) {
	_, js := natstest.JetStream(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	consumer, err := js.CreateConsumer(t.Context(), "S", jetstream.ConsumerConfig{Durable: "C", AckWait: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := js.Publish(t.Context(), "s", nil); err != nil {
			t.Fatal(err)
		}
	}
	began, over, ended := make(chan struct{}, 2), make(chan struct{}), make(chan struct{})
	r := &reader{js: js, stream: "S", consumer: "C", atOnce: 1, log: slog.New(slog.DiscardHandler), take: func(_ context.Context, m jetstream.Msg) {
		began <- struct{}{}
		<-over
		if err := m.Ack(); err != nil {
			t.Error(err)
		}
	}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { defer close(ended); r.run(ctx) }()
	<-began
	clitest.Eventually(t, "the second is taken", func() bool {
		i, err := consumer.Info(t.Context())
		return err == nil && i.NumAckPending == 2
	})
	stop()
	close(over)
	<-ended
	if len(began) > 0 {
		t.Error("the second was begun after the end")
	}
}
