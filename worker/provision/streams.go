// The streams and consumers of a fleet, as declared: one log, its input and its results.

package provision

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/journal"
)

const (
	mib = 1 << 20
	day = 24 * time.Hour
	// shortest is the shortest window in which a server compares message ids. For submitted queries it
	// compares ids across all askers, so that one asker could block another's. The workers compare ids
	// together with their askers.
	shortest = 100 * time.Millisecond
	// longestReply is more than any reply needs, so that one subject can hold less than its stream.
	longestReply = 5 << 10
	// longestSubmitted is more than any valid query needs with its headers. mostSubmitted is how many
	// one asker may have waiting for one partner: at any length, at most half of the stream.
	longestSubmitted = 4 << 10
	mostSubmitted    = 512 * mib / longestSubmitted
	// WatchAge is how long the last record of a watch is kept, which is longer than a watch lasts.
	WatchAge = 15 * day
)

// Streams declares the streams. MaxAge stays 0 for work in progress: the server would delete it
// silently.
func Streams(o Options) []jetstream.StreamConfig {
	o.defaults()
	n := o.Names
	log := journal.JetStreamOptions{Stream: n.Stream(messages.Journal), Journal: n.Journal(),
		Followed: n.Followed()}.Config(o.Replicas, o.JournalBytes)
	log.Description = "the workers' log: every query until it is answered, every call and every remembered answer"
	all := []jetstream.StreamConfig{
		log,
		{Name: n.Stream(messages.Fleet), Subjects: n.Captures(messages.Fleet),
			Description: "what the fleet shares about its partners, its intake and its alerts",
			Discard:     jetstream.DiscardNew, MaxBytes: 16 * mib,
			MaxMsgsPerSubject: 1, AllowDirect: true,
			RePublish: &jetstream.RePublish{Source: n.Captures(messages.Fleet)[0],
				Destination: n.Changed("{{wildcard(1)}}.{{wildcard(2)}}")}},
		{Name: n.Stream(messages.Submitted), Subjects: n.Captures(messages.Submitted),
			Description: "submitted queries and operators' requests that no worker has written into the log yet",
			Retention:   jetstream.WorkQueuePolicy,
			Discard:     jetstream.DiscardNew, MaxBytes: 1 << 30, MaxMsgSize: longestSubmitted,
			MaxMsgsPerSubject: mostSubmitted, DiscardNewPerSubject: true, Duplicates: shortest},
	}
	all = append(append(all, outcomes(n)...), o.Readers.streams(n)...)
	if !o.unscheduled {
		all = append(all, watches(n))
	}
	return o.kept(all)
}

// watches declares the stream of the page in the browser. Each watch has one message of each kind.
// A full stream drops the oldest, because schedules allow nothing else. The server rolls up each
// schedule's subject.
func watches(n messages.Names) jetstream.StreamConfig {
	return jetstream.StreamConfig{Name: n.Stream(messages.Watches), Subjects: n.Captures(messages.Watches),
		Description: "whom users of the page in the browser watch, and when it asks again",
		Discard:     jetstream.DiscardOld, MaxBytes: 32 * mib, MaxAge: WatchAge, MaxMsgsPerSubject: 1,
		Duplicates: shortest, AllowDirect: true, AllowMsgSchedules: true, AllowRollup: true}
}

// outcomes declares the streams of the results of queries.
func outcomes(n messages.Names) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{Name: n.Stream(messages.Replies), Subjects: n.Captures(messages.Replies),
			Description: "durable replies that their readers have not acknowledged yet",
			Retention:   jetstream.WorkQueuePolicy,
			Discard:     jetstream.DiscardNew, MaxBytes: 256 * mib, MaxAge: 7 * day, MaxMsgSize: longestReply,
			MaxMsgsPerSubject: 200 * mib / longestReply, DiscardNewPerSubject: true, Duplicates: 10 * time.Minute,
			AllowDirect: true},
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
}

// kept sets where streams are kept.
func (o *Options) kept(all []jetstream.StreamConfig) []jetstream.StreamConfig {
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

// optional reports whether the fleet goes on if another reads what the consumer would: only the
// page's watches need it.
func (c *Consumer) optional() bool { return c.Config.Durable == messages.ConsoleName }

// Consumers declares the consumers: the fleet's own, each of which reads its whole stream, and
// those of o.Readers.
func Consumers(o Options) []Consumer {
	o.defaults()
	all := append([]Consumer{
		// No bound: a message that was given back counts until it comes again, and would block all
		// others. Workers take no more than they have room for.
		{o.Names.Stream(messages.Submitted),
			jetstream.ConsumerConfig{Durable: messages.ConsumerSubmitted, MaxAckPending: -1}},
		{o.Names.Stream(messages.Log), jetstream.ConsumerConfig{Durable: messages.ConsumerRecorder,
			MaxAckPending: 20_000, FilterSubjects: o.Names.Captures(messages.Log)}},
	}, o.Readers.consumers(o.Names)...)
	if !o.unscheduled {
		all = append(all, Consumer{o.Names.Stream(messages.Watches),
			jetstream.ConsumerConfig{Durable: messages.ConsumerWatches, MaxAckPending: mostPending,
				FilterSubjects: []string{o.Names.Watch(messages.WatchDue, "*", "*")}}},
			readerOfReplies(o.Names, messages.ConsoleName))
	}
	return o.acked(all)
}

// acked sets how consumers deliver: until a message is acknowledged, any number of times.
func (o *Options) acked(all []Consumer) []Consumer {
	for i := range all {
		c := &all[i].Config
		c.AckPolicy, c.AckWait, c.MaxDeliver, c.MaxWaiting = jetstream.AckExplicitPolicy, o.AckWait, -1, 2048
	}
	return all
}
