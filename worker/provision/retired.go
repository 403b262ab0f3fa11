// Taking over from an earlier version: its streams give up their subjects, and nothing in them is
// lost.

package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// ErrWaiting says that queries wait in streams that only workers of an earlier version read. Let
// those workers answer them first, and then provision again.
var ErrWaiting = errors.New("queries wait that only workers of the earlier version answer")

// ErrTakeOver says that streams of an earlier version have subjects that are needed, and that
// Options.Update takes the subjects from them.
var ErrTakeOver = errors.New("streams of an earlier version hold subjects that are needed")

// earlier are the streams of an earlier version that are no longer used: the consumers of what
// waits in them, and the one subject, below the prefix, to which they are narrowed. A stream has at
// least one subject, so the stream of halts gets one that is not used.
var earlier = []struct {
	kind      messages.Kind
	consumers []string
	keeps     string
}{
	{"REQUESTS", []string{"asked", "submitted"}, "request.*"},
	{"WAITING", []string{"waiting"}, ""},
	{"STATE", nil, ""},
	{halts, nil, "unused.partner"},
}

const halts messages.Kind = "PARTNERS"

// haltRecord is the record of a partner's halt, see partner.HaltRecord.
const haltRecord = "halt"

// retired are those of the earlier streams that exist.
type retired struct {
	js      jetstream.JetStream
	o       Options
	items   []Item                   // one for each stream
	waits   [][2]string              // stream and consumer of messages that may wait
	changes []jetstream.StreamConfig // the new settings of streams to narrow
	halts   string                   // the stream of halts; "" if it does not exist
}

// findRetired looks for the earlier streams.
func findRetired(ctx context.Context, js jetstream.JetStream, o Options) (*retired, error) {
	r := &retired{js: js, o: o}
	for _, e := range earlier {
		name := o.Names.Stream(e.kind)
		s, err := js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		item := Item{Name: name, Action: Unused, Remove: "nats stream rm " + name}
		c := s.CachedInfo().Config
		if keeps := o.Names.Prefix() + "." + e.keeps; e.keeps != "" && list(c.Subjects) != keeps {
			item.Differences = []Difference{{Setting: "subjects", Have: list(c.Subjects), Declared: keeps}}
			c.Subjects = []string{keeps}
			r.changes = append(r.changes, c)
		}
		if e.kind == halts {
			r.halts = name
		}
		for _, consumer := range e.consumers {
			r.waits = append(r.waits, [2]string{name, consumer})
		}
		r.items = append(r.items, item)
	}
	return r, nil
}

// narrow takes the needed subjects from the streams, once nothing waits in them.
func (r *retired) narrow(ctx context.Context) error {
	if err := r.empty(ctx); err != nil {
		return err
	}
	if len(r.changes) > 0 && !r.o.Update {
		return ErrTakeOver
	}
	for _, c := range r.changes {
		if _, err := r.js.UpdateStream(ctx, c); err != nil {
			return fmt.Errorf("narrow stream %s: %w", c.Name, err)
		}
	}
	return nil
}

// held are the streams that still have such subjects, with the subjects that they would keep.
func (r *retired) held() (items []Item) {
	for _, i := range r.items {
		if len(i.Differences) > 0 {
			items = append(items, Item{Name: i.Name, Action: Differs, Differences: i.Differences})
		}
	}
	return items
}

// empty returns an error if queries wait.
func (r *retired) empty(ctx context.Context) error {
	for _, w := range r.waits {
		// Acknowledged messages do not wait, though a narrowed stream may keep them.
		c, err := r.js.Consumer(ctx, w[0], w[1])
		if err != nil {
			return fmt.Errorf("consumer %s of %s: %w", w[1], w[0], err)
		}
		info := c.CachedInfo()
		if n := info.NumPending + uint64(max(info.NumAckPending, 0)); n > 0 {
			return fmt.Errorf("%w: %d in %s", ErrWaiting, n, w[0])
		}
	}
	return nil
}

// carry copies the halts of partners to where workers look for them now, except halts that are
// already there.
func (r *retired) carry(ctx context.Context) (items []Item, err error) {
	if r.halts == "" {
		return nil, nil
	}
	old, err := r.js.Stream(ctx, r.halts)
	if err != nil {
		return nil, fmt.Errorf("read halts: %w", err)
	}
	info, err := old.Info(ctx, jetstream.WithSubjectFilter(r.o.Names.Partner("*", haltRecord)))
	if err != nil {
		return nil, fmt.Errorf("read halts: %w", err)
	}
	for _, subject := range slices.Sorted(maps.Keys(info.State.Subjects)) {
		carried, err := r.carryOne(ctx, subject)
		if err != nil {
			return items, fmt.Errorf("carry %s over: %w", subject, err)
		}
		if carried {
			items = append(items, Item{Name: r.o.Names.Stream(messages.Fleet) + " < " + subject, Action: Carried})
		}
	}
	return items, nil
}

// carryOne copies a record, unless the target exists.
func (r *retired) carryOne(ctx context.Context, subject string) (carried bool, err error) {
	// The older API asks the stream's leader, which has every record; a follower may lack the last
	// one.
	var at []nats.JSOpt
	if api := r.js.Options().APIPrefix; api != "" {
		at = append(at, nats.APIPrefix(api))
	}
	leader, err := r.js.Conn().JetStream(at...)
	if err != nil {
		return false, err
	}
	m, err := leader.GetLastMsg(r.halts, subject, nats.Context(ctx))
	if err != nil {
		return false, err
	}
	_, err = r.js.Publish(ctx, subject, m.Data, jetstream.WithExpectStream(r.o.Names.Stream(messages.Fleet)),
		jetstream.WithExpectLastSequencePerSubject(0))
	if api, ok := errors.AsType[*jetstream.APIError](err); ok &&
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return false, nil
	}
	return err == nil, err
}
