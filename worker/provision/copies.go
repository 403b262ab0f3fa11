// Copies: new copies of a stream protect it only once they are up to date.

package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Grown reports whether streams were made, or got more copies.
func (r Report) Grown() bool {
	for _, i := range r.Items {
		for _, d := range i.Differences {
			if d.Setting == copiesSetting && d.Changed {
				return true
			}
		}
		if i.Action == Created {
			return true
		}
	}
	return false
}

const copiesSetting = "num_replicas"

// ErrLate says that copies are not up to date yet.
var ErrLate = errors.New("copies are not up to date")

// lookEvery is how often the copies are checked.
const lookEvery = 250 * time.Millisecond

// Await waits until every copy of the fleet's streams and consumers is up to date. If ctx ends
// first, the error names the copies that are not.
func Await(ctx context.Context, js jetstream.JetStream, o Options) error {
	for {
		late, err := behind(ctx, js, o)
		if err == nil && len(late) == 0 {
			return nil
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			if len(late) > 0 {
				return fmt.Errorf("%w: %s", ErrLate, strings.Join(late, ", "))
			}
			return errors.Join(ctx.Err(), err)
		}
	}
}

// behind are the copies that are not up to date.
func behind(ctx context.Context, js jetstream.JetStream, o Options) (late []string, err error) {
	wanted, o := map[string]int{}, o.For(js.Conn())
	for _, want := range Streams(o) {
		s, err := js.Stream(ctx, want.Name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", want.Name, err)
		}
		info := s.CachedInfo()
		wanted[want.Name] = info.Config.Replicas
		late = append(late, lag(want.Name, wanted[want.Name], info.Cluster)...)
	}
	for _, want := range Consumers(o) {
		c, err := js.Consumer(ctx, want.Stream, want.Config.Durable)
		if errors.Is(err, jetstream.ErrConsumerNotFound) && want.optional() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("consumer %s of %s: %w", want.Config.Durable, want.Stream, err)
		}
		info := c.CachedInfo()
		late = append(late, lag(want.Stream+" > "+info.Name, wanted[want.Stream], info.Cluster)...)
	}
	return late, nil
}

// lag are the copies of one stream or consumer that are not up to date.
func lag(name string, wanted int, c *jetstream.ClusterInfo) (late []string) {
	switch {
	case c == nil: // a single server
		return nil
	case c.Leader == "":
		return []string{name + " has no leader"}
	}
	for _, r := range c.Replicas {
		switch {
		case r.Offline:
			late = append(late, fmt.Sprintf("%s on %s, which is away", name, r.Name))
		case !r.Current:
			late = append(late, fmt.Sprintf("%s on %s, %d behind", name, r.Name, r.Lag))
		}
	}
	if there := 1 + len(c.Replicas); len(late) == 0 && (there < wanted || c.Desired != nil) {
		late = append(late, fmt.Sprintf("%s has %d of %d", name, there, wanted))
	}
	return late
}
