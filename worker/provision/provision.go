// The streams and consumers that a fleet needs, as declared, and how they are made.

// Package provision declares the streams and consumers of a fleet and makes
// them. A running worker needs none of its rights: provisioning is done once,
// by its own user, and again whenever the declaration changes.
package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Options say how a fleet is laid out. The zero value is one server on its own.
type Options struct {
	Names      messages.Names
	Replicas   int           // 1; 3 in a cluster
	AckWait    time.Duration // 12 s: how long a worker may be silent about a request
	StateBytes int64         // 1 GiB: room for the records of keys, about 500 bytes each
	Update     bool          // change what differs, where the server allows it
}

const (
	mib = 1 << 20
	day = 24 * time.Hour
)

func (o *Options) defaults() {
	if o.Replicas <= 0 {
		o.Replicas = 1
	}
	if o.AckWait <= 0 {
		o.AckWait = 12 * time.Second
	}
	if o.StateBytes <= 0 {
		o.StateBytes = 1 << 30
	}
}

// Streams declares the streams. MaxAge stays 0 where a message is work in
// progress: the server would delete it silently.
func Streams(o Options) []jetstream.StreamConfig {
	o.defaults()
	n := o.Names
	all := []jetstream.StreamConfig{
		{Name: n.Stream(messages.Requests), Subjects: n.Captures(messages.Requests),
			Description: "queries that wait for their answer", Retention: jetstream.WorkQueuePolicy,
			Discard: jetstream.DiscardNew, MaxBytes: 256 * mib, Duplicates: 10 * time.Minute},
		{Name: n.Stream(messages.Waiting), Subjects: n.Captures(messages.Waiting),
			Description: "submitted queries that wait for a cool-down or a halted partner", Retention: jetstream.WorkQueuePolicy,
			Discard: jetstream.DiscardNew, MaxBytes: 256 * mib, Duplicates: 10 * time.Minute},
		{Name: n.Stream(messages.Partners), Subjects: n.Captures(messages.Partners),
			Description: "what the fleet shares about a partner", Discard: jetstream.DiscardNew, MaxBytes: 16 * mib,
			MaxMsgsPerSubject: 1, AllowDirect: true,
			RePublish: &jetstream.RePublish{Source: n.Captures(messages.Partners)[0], Destination: n.Changed("{{wildcard(1)}}.{{wildcard(2)}}")}},
		{Name: n.Stream(messages.State), Subjects: n.Captures(messages.State),
			Description: "one record per key", Discard: jetstream.DiscardNew, MaxBytes: o.StateBytes,
			MaxMsgsPerSubject: 1, AllowMsgTTL: true, AllowDirect: true,
			RePublish: &jetstream.RePublish{Source: n.StateAll(), Destination: n.Changed("{{wildcard(1)}}")}},
		{Name: n.Stream(messages.Replies), Subjects: n.Captures(messages.Replies),
			Description: "durable replies", Discard: jetstream.DiscardNew, MaxBytes: 256 * mib, MaxAge: 7 * day,
			MaxMsgsPerSubject: 100_000, DiscardNewPerSubject: true, Duplicates: 10 * time.Minute, AllowDirect: true},
		{Name: n.Stream(messages.Events), Subjects: n.Captures(messages.Events),
			Description: "one event per run of the gateway, personal fields masked", Discard: jetstream.DiscardOld,
			MaxBytes: 256 * mib, MaxAge: 7 * day, Duplicates: 10 * time.Minute, AllowDirect: true},
		{Name: n.Stream(messages.Log), Subjects: n.Captures(messages.Log),
			Description: "lines of the query log that no recorder has taken yet", Retention: jetstream.WorkQueuePolicy,
			Discard: jetstream.DiscardNew, MaxBytes: 512 * mib, Duplicates: 10 * time.Minute},
		{Name: n.Stream(messages.Dead), Subjects: n.Captures(messages.Dead),
			Description: "what could not be answered, with the reason", Discard: jetstream.DiscardNew,
			MaxBytes: 64 * mib, MaxAge: 90 * day, Duplicates: 10 * time.Minute, AllowDirect: true},
	}
	for i := range all {
		all[i].Storage, all[i].Replicas = jetstream.FileStorage, o.Replicas
	}
	return all
}

// Consumer is a durable consumer and the stream that it reads.
type Consumer struct {
	Stream string
	Config jetstream.ConsumerConfig
}

// Consumers declares the consumers. A backlog of submitted queries has one of
// its own, so that it never holds up an asker who waits; queries that wait have
// no bound on how many are out at once, because each is held back by the server
// until its time has come.
func Consumers(o Options) []Consumer {
	o.defaults()
	all := []Consumer{
		{o.Names.Stream(messages.Requests), jetstream.ConsumerConfig{Durable: messages.ConsumerAsked, MaxAckPending: 50_000}},
		{o.Names.Stream(messages.Requests), jetstream.ConsumerConfig{Durable: messages.ConsumerSubmitted, MaxAckPending: 50_000}},
		{o.Names.Stream(messages.Waiting), jetstream.ConsumerConfig{Durable: messages.ConsumerWaiting, MaxAckPending: -1}},
		{o.Names.Stream(messages.Log), jetstream.ConsumerConfig{Durable: messages.ConsumerRecorder, MaxAckPending: 20_000}},
	}
	for i := range all {
		c := &all[i].Config
		c.FilterSubjects = o.Names.Filter(c.Durable)
		c.AckPolicy, c.AckWait, c.MaxDeliver, c.MaxWaiting = jetstream.AckExplicitPolicy, o.AckWait, -1, 2048
	}
	return all
}

// Report says what Apply found and did, one line per stream and consumer.
type Report struct {
	Items []Item
}

// Item is one stream or consumer.
type Item struct {
	Name        string       `json:"name"`
	Action      Action       `json:"action"`
	Differences []Difference `json:"differences,omitempty"`
}

// Action is what was done about an item.
type Action string

// The actions.
const (
	Created Action = "created"
	AsIs    Action = "as declared"
	Differs Action = "differs"
	Updated Action = "updated"
)

// Difference is one setting that is not as declared.
type Difference struct {
	Setting  string `json:"setting"`
	Have     string `json:"have"`
	Declared string `json:"declared"`
}

// Differs reports whether anything is left that is not as declared.
func (r Report) Differs() bool {
	for _, i := range r.Items {
		if i.Action == Differs {
			return true
		}
	}
	return false
}

// Apply makes what is missing and reports what differs; with o.Update it
// changes that, too. Doing it again changes nothing.
func Apply(ctx context.Context, js jetstream.JetStream, o Options) (Report, error) {
	var r Report
	for _, want := range Streams(o) {
		item, err := applyStream(ctx, js, want, o.Update)
		if err != nil {
			return r, fmt.Errorf("stream %s: %w", want.Name, err)
		}
		r.Items = append(r.Items, item)
	}
	for _, want := range Consumers(o) {
		item, err := applyConsumer(ctx, js, want.Stream, want.Config, o.Update)
		if err != nil {
			return r, fmt.Errorf("consumer %s of %s: %w", want.Config.Durable, want.Stream, err)
		}
		r.Items = append(r.Items, item)
	}
	return r, nil
}

func applyStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, update bool) (Item, error) {
	item := Item{Name: want.Name}
	have, err := js.Stream(ctx, want.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		item.Action = Created
		_, err = js.CreateStream(ctx, want)
		return item, err
	case err != nil:
		return item, err
	}
	item.settle(compareStreams(have.CachedInfo().Config, want))
	if item.Action == Differs && update {
		item.Action = Updated
		_, err = js.UpdateStream(ctx, want)
	}
	return item, err
}

func applyConsumer(ctx context.Context, js jetstream.JetStream, stream string, want jetstream.ConsumerConfig, update bool) (Item, error) {
	item := Item{Name: stream + " > " + want.Durable}
	have, err := js.Consumer(ctx, stream, want.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		item.Action = Created
		_, err = js.CreateConsumer(ctx, stream, want)
		return item, err
	case err != nil:
		return item, err
	}
	item.settle(compareConsumers(have.CachedInfo().Config, want))
	if item.Action == Differs && update {
		item.Action = Updated
		_, err = js.UpdateConsumer(ctx, stream, want)
	}
	return item, err
}

func (i *Item) settle(d []Difference) {
	i.Action, i.Differences = AsIs, d
	if len(d) > 0 {
		i.Action = Differs
	}
}
