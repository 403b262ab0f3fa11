// Command watermill is a Watermill router on a JetStream subscriber (watermill-nats/v2,
// package nats, durable queue group), with the Recoverer and Retry middlewares
// and, by -dedupe:
//
//	middleware  Watermill's own Deduplicator as shipped: a duplicate is acked
//	            and dropped, so its asker gets no answer.
//	cache       our own singleflight + result cache in the handler instead,
//	            which is what a user who owes everyone an answer has to write.
//
// The answer goes to the subject in the message's metadata (header Reply-To).
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	onnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/nats-io/nats.go"

	"protocolq/cmd/peerbench/gw"
	"protocolq/cmd/peerbench/payload"
	"protocolq/cmd/peerbench/peer"
)

func main() {
	dedupe := flag.String("dedupe", "middleware", "middleware or cache")
	subscribers := flag.Int("subscribers", 512, "Watermill SubscribersCount (messages at once)")
	f := peer.Parse()
	log := watermill.NopLogger{}
	sub := subscriber(f, *subscribers, log)
	pub, err := onnats.NewPublisher(onnats.PublisherConfig{
		URL: f.NATS, Marshaler: &onnats.NATSMarshaler{},
		JetStream: onnats.JetStreamConfig{Disabled: true},
	}, log)
	peer.Must(err)
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, log)
	peer.Must(err)
	router.AddMiddleware(middleware.Recoverer)
	handlers := map[string]func(*message.Router, *peer.Flags, message.Publisher) message.NoPublishHandlerFunc{
		"middleware": dropping, "cache": caching}
	if handlers[*dedupe] == nil {
		peer.Must(fmt.Errorf("no such -dedupe %q", *dedupe))
	}
	router.AddConsumerHandler("protocol-query", "protocol.query", sub, handlers[*dedupe](router, f, pub))
	go func() { peer.Must(router.Run(context.Background())) }()
	peer.Wait()
	peer.Must(router.Close())
	peer.Must(pub.Close())
	peer.Must(sub.Close())
}

func subscriber(f *peer.Flags, count int, log watermill.LoggerAdapter) message.Subscriber {
	nc, err := nats.Connect(f.NATS, nats.Name("watermill"))
	peer.Must(err)
	sub, err := onnats.NewSubscriberWithNatsConn(nc, onnats.SubscriberSubscriptionConfig{
		QueueGroupPrefix: "workers",
		SubscribersCount: count,
		AckWaitTimeout:   30 * time.Second,
		CloseTimeout:     5 * time.Second,
		Unmarshaler:      &onnats.NATSMarshaler{},
		JetStream: onnats.JetStreamConfig{
			DurablePrefix:    "workers",
			AckAsync:         true,
			SubscribeOptions: []nats.SubOpt{nats.DeliverAll(), nats.AckExplicit(), nats.MaxAckPending(4096)},
		},
	}, log)
	peer.Must(err)
	return sub
}

func retry(f *peer.Flags) message.HandlerMiddleware {
	return middleware.Retry{
		MaxRetries: f.Tries - 1, InitialInterval: 50 * time.Millisecond, Multiplier: 2,
		MaxInterval: 5 * time.Second, RandomizationFactor: 0.5, ResetContextOnRetry: true,
	}.Middleware
}

func answer(pub message.Publisher, msg *message.Message, r payload.Result) error {
	b, err := payload.EncodeReply(&r)
	if err != nil {
		return err
	}
	to := msg.Metadata.Get("Reply-To")
	if to == "" {
		return nil
	}
	return pub.Publish(to, message.NewMessage(watermill.NewShortUUID(), b))
}

// dropping has Watermill's Deduplicator outside Retry: inside it, a second try would be dropped as
// a duplicate of the first.
func dropping(router *message.Router, f *peer.Flags, pub message.Publisher) message.NoPublishHandlerFunc {
	repo, err := middleware.NewMapExpiringKeyRepository(10 * time.Minute)
	peer.Must(err)
	d := &middleware.Deduplicator{
		KeyFactory: func(m *message.Message) (string, error) {
			q, err := payload.DecodeRequest(m.Payload)
			return q.UserEmail, err
		},
		Repository: repo,
		Timeout:    time.Second,
	}
	router.AddMiddleware(d.Middleware, retry(f))
	client := f.Client()
	return func(msg *message.Message) error {
		q, err := payload.DecodeRequest(msg.Payload)
		if err != nil {
			return nil
		}
		a, err := client.Once(msg.Context(), q.UserEmail)
		if errors.Is(err, gw.ErrTransient) {
			return fmt.Errorf("retry: %w", err)
		}
		r := peer.FromAnswer(a, err)
		r.ID = q.ID
		return answer(pub, msg, r)
	}
}

// caching is what a user must write to answer every asker.
func caching(router *message.Router, f *peer.Flags, pub message.Publisher) message.NoPublishHandlerFunc {
	shared := &peer.Shared{TTL: cmp.Or(f.Cache, 10*time.Minute)}
	client, sem := f.Client(), make(chan struct{}, f.Concurrency)
	router.AddMiddleware(retry(f))
	return func(msg *message.Message) error {
		q, err := payload.DecodeRequest(msg.Payload)
		if err != nil {
			return nil
		}
		r := shared.Do(q.UserEmail, func() payload.Result {
			return peer.Call(client, sem, f.Tries, q.UserEmail)
		})
		r.ID = q.ID
		return answer(pub, msg, r)
	}
}
