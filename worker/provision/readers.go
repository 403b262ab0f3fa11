// The consumers for readers of durable replies and events. Readers may not make them themselves,
// because a user that makes a consumer can choose what it reads.

package provision

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Readers are the readers of durable replies and events. Each has a consumer of its name.
type Readers struct {
	Askers    []string // read replies to protocol.reply.<name> and subjects below it
	Listeners []string // read events
	Events    bool     // askers read events, too
	Partners  []string // the partners of these events; none: all
	HTTP      []string // askers at the HTTP door, which reads for them and keeps their answers
}

// How much the HTTP door keeps for each of its askers, and for how long. The oldest answers are
// dropped first, as only that asker misses them.
const (
	HTTPAge   = 3 * day
	httpBytes = 64 * mib
)

// streams declares one stream for each asker of the HTTP door.
func (r Readers) streams(n messages.Names) (all []jetstream.StreamConfig) {
	for _, name := range r.HTTP {
		all = append(all, jetstream.StreamConfig{Name: n.StreamHTTP(name), Subjects: []string{n.HTTP(name, "*", "*")},
			Description: "what the HTTP door keeps for the asker " +
				name, Discard: jetstream.DiscardOld, MaxBytes: httpBytes, MaxAge: HTTPAge,
			MaxMsgsPerSubject: 1, Duplicates: 10 * time.Minute, AllowDirect: true})
	}
	return all
}

// mostUndelivered bounds the answers that wait to be delivered again. Later answers wait for these.
const mostUndelivered = 5000

// mostPending is how many messages a reader may have received without acknowledging them.
const mostPending = 1000

// consumers declares one consumer for each asker and listener.
func (r Readers) consumers(n messages.Names) (all []Consumer) {
	for _, name := range slices.Concat(r.Askers, r.HTTP) {
		all = append(all, readerOfReplies(n, name))
	}
	for _, name := range r.HTTP {
		all = append(all, Consumer{n.StreamHTTP(name), jetstream.ConsumerConfig{Durable: messages.ConsumerWebhook,
			MaxAckPending: mostUndelivered, FilterSubjects: []string{n.HTTP(name, messages.HTTPAnswer, "*")}}})
	}
	listeners := r.Listeners
	if r.Events {
		listeners = append(append([]string(nil), r.Askers...), listeners...)
	}
	for _, name := range listeners {
		c := jetstream.ConsumerConfig{Durable: name, MaxAckPending: mostPending}
		for _, p := range r.Partners {
			c.FilterSubjects = append(c.FilterSubjects, n.Event(p, "*"))
		}
		all = append(all, Consumer{n.Stream(messages.Events), c})
	}
	return all
}

// readerOfReplies declares the consumer of one asker's durable replies.
func readerOfReplies(n messages.Names, name string) Consumer {
	own := n.ReplyOf(name)
	return Consumer{n.Stream(messages.Replies), jetstream.ConsumerConfig{Durable: name, MaxAckPending: mostPending,
		FilterSubjects: []string{own, own + ".>"}}}
}

// ErrReadTwice says that another consumer already reads the subjects of a reader's consumer: a
// message in a work queue is for one consumer.
var ErrReadTwice = errors.New("another consumer reads those subjects")

// The server's codes for that: for a consumer without filters, and for one with filters.
const (
	codeReadWhole = jetstream.ErrorCode(10099)
	codeReadTwice = jetstream.ErrorCode(10100)
)

// readTwice adds [ErrReadTwice] to the server's error.
func readTwice(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok &&
		(api.ErrorCode == codeReadWhole || api.ErrorCode == codeReadTwice) {
		return fmt.Errorf("%w: %w", ErrReadTwice, err)
	}
	return err
}
