// Making and changing streams and consumers one after another, and checking the result.

package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// apply makes or compares the streams and consumers, with one item for each.
func (r *Report) apply(ctx context.Context, js jetstream.JetStream, o Options) error {
	there, err := find(ctx, js, o)
	if err != nil {
		return err
	}
	streams := there.declare(o)
	for _, want := range streams {
		item, err := applyStream(ctx, js, there[want.Name], want, o)
		if err != nil {
			return fmt.Errorf("stream %s: %w", want.Name, noRoom(err, want, streams))
		}
		r.Items = append(r.Items, item)
	}
	for _, want := range Consumers(o) {
		item, err := applyConsumer(ctx, js, want.Stream, want.Config, o.Update)
		if err = readTwice(err); errors.Is(err, ErrReadTwice) && want.optional() {
			item.Action, err = Taken, nil
		}
		if err != nil {
			return fmt.Errorf("consumer %s of %s: %w", want.Config.Durable, want.Stream, err)
		}
		r.Items = append(r.Items, item)
	}
	return nil
}

// existing are the settings of existing streams, by name.
type existing map[string]*jetstream.StreamConfig

// ErrOtherPrefix says that a fleet with another prefix has the streams: a.b and a_b give the same
// names, and so do A and a.
var ErrOtherPrefix = errors.New("a fleet with another prefix has a stream of this name")

// find looks for the fleet's streams.
func find(ctx context.Context, js jetstream.JetStream, o Options) (existing, error) {
	there := existing{}
	for _, want := range Streams(o) {
		s, err := js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", want.Name, err)
		}
		have := &s.CachedInfo().Config
		own := func(subject string) bool { return strings.HasPrefix(subject, o.Names.Prefix()+".") }
		if len(have.Subjects) > 0 && !slices.ContainsFunc(have.Subjects, own) {
			return nil, fmt.Errorf("stream %s: %w: it takes %s", want.Name, ErrOtherPrefix, list(have.Subjects))
		}
		there[want.Name] = have
	}
	return there, nil
}

// declare declares the streams. Settings that o leaves open stay as they are.
func (there existing) declare(o Options) []jetstream.StreamConfig {
	copies := 1
	for _, have := range there {
		copies = max(copies, have.Replicas)
	}
	all := Streams(o)
	for i := range all {
		want, have := &all[i], there[all[i].Name]
		switch {
		case o.Replicas > 0: // given
		case have != nil:
			want.Replicas = have.Replicas
		default:
			want.Replicas = copies
		}
		if isJournal := i == 0; isJournal && have != nil && have.MaxBytes > 0 && o.JournalBytes <= 0 {
			want.MaxBytes = have.MaxBytes
		}
	}
	return all
}

// applyStream makes or compares a stream. have is nil if the stream does not exist.
func applyStream(ctx context.Context, js jetstream.JetStream, have *jetstream.StreamConfig, want jetstream.StreamConfig,
	o Options) (Item, error) {
	item := Item{Name: want.Name}
	if have == nil {
		made, err := js.CreateStream(ctx, want)
		if err == nil {
			item.made(CompareStreams(made.CachedInfo().Config, want))
		}
		return item, err
	}
	differences := CompareStreams(*have, want)
	if fixed(*have, want) {
		item.Action, item.Differences = Anew, differences
		return item, nil
	}
	if len(differences) == 0 || !o.Update {
		item.settle(differences, differences)
		return item, nil
	}
	change := want
	change.Placement, change.Metadata = have.Placement, have.Metadata // the operator of the servers decides these
	if !o.Less {
		most, err := fullest(ctx, js, want.Name)
		if err != nil {
			return item, err
		}
		keepRoom(*have, &change, most)
	}
	if len(CompareStreams(*have, change)) == 0 {
		item.settle(differences, differences)
		return item, nil
	}
	changed, err := js.UpdateStream(ctx, change)
	if err == nil {
		item.settle(differences, CompareStreams(changed.CachedInfo().Config, want))
	}
	return item, err
}

func applyConsumer(ctx context.Context, js jetstream.JetStream, stream string, want jetstream.ConsumerConfig,
	update bool) (Item, error) {
	item := Item{Name: stream + " > " + want.Durable}
	have, err := js.Consumer(ctx, stream, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		made, err := js.CreateConsumer(ctx, stream, want)
		if err == nil {
			item.made(CompareConsumers(made.CachedInfo().Config, want))
		}
		return item, err
	}
	if err != nil {
		return item, err
	}
	differences := CompareConsumers(have.CachedInfo().Config, want)
	if len(differences) == 0 || !update {
		item.settle(differences, differences)
		return item, nil
	}
	change := want
	change.Metadata = have.CachedInfo().Config.Metadata
	changed, err := js.UpdateConsumer(ctx, stream, change)
	if err == nil {
		item.settle(differences, CompareConsumers(changed.CachedInfo().Config, want))
	}
	return item, err
}

// made notes the stream that the server made. A server silently drops a field that it does not
// know; only the returned settings show that.
func (i *Item) made(left []Difference) {
	i.Action, i.Differences = Created, left
	if len(left) > 0 {
		i.Action = Differs
	}
}

// settle notes the differences, and which of them are left.
func (i *Item) settle(before, left []Difference) {
	i.Action, i.Differences = AsIs, before
	for n := range i.Differences {
		d := &i.Differences[n]
		d.Changed = !slices.ContainsFunc(left, func(l Difference) bool { return l.Setting == d.Setting })
	}
	switch {
	case len(left) > 0:
		i.Action = Differs
	case len(before) > 0:
		i.Action = Updated
	}
}
