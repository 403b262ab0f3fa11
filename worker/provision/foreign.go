// Streams of other programs that capture subjects meant for workers, and answer in their place.

package provision

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// asked are the subjects on which askers wait for an answer that does not come from a stream. A
// stream that captures them answers at once, by its acknowledgement.
func asked(n messages.Names) []string {
	return []string{n.Query(), n.Query() + ".>", n.Member(">"), "$SRV.>"}
}

// FindForeign lists the streams that capture what no stream may capture, with one item for each.
func FindForeign(ctx context.Context, js jetstream.JetStream, n messages.Names) (items []Item, err error) {
	var names []string
	for _, subject := range asked(n) {
		l := js.StreamNames(ctx, jetstream.WithStreamListSubject(subject))
		for name := range l.Name() {
			names = append(names, name)
		}
		if err := l.Err(); err != nil {
			return nil, fmt.Errorf("look for streams on %s: %w", subject, err)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		items = append(items, Item{Name: name, Action: Foreign,
			Differences: []Difference{{Setting: "subjects", Have: list(s.CachedInfo().Config.Subjects),
				Declared: "none of " + list(asked(n))}}})
	}
	return items, nil
}
