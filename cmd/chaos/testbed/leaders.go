//go:build unix

// Leaders in a cluster, and the cure for a server whose copies do not catch up.

package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// Led are the streams, and their consumers, whose leaders are harmed.
var Led = map[messages.Kind][]string{
	messages.Journal: nil, messages.Submitted: {messages.ConsumerSubmitted}, messages.Fleet: nil, messages.Replies: nil,
	messages.Events: nil,
	messages.Log:    {messages.ConsumerRecorder},
}

// Command sends a request to the API of JetStream. A response with an error is returned as an
// error.
func (o *observer) Command(ctx context.Context, subject, body string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	m, err := o.Conn.RequestWithContext(ctx, subject, []byte(body))
	if err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %w", subject, answer.Error)
	}
	return nil
}

// Leader waits for a leader of the journal, and lets it lead the submitted queries and their
// consumer, too, if it can.
func (h *Bed) Leader(ctx context.Context) (at int, err error) {
	names, name := h.Observer.Names, ""
	err = Eventually(ctx, 20*time.Second, "a leader of the journal", func() bool {
		one, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		s, err := h.Observer.JS.Stream(one, names.Stream(messages.Journal))
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		name = s.CachedInfo().Cluster.Leader
		return name != ""
	})
	if err != nil {
		return 0, err
	}
	body, submitted := fmt.Sprintf(`{"placement":{"preferred":%q}}`, name), names.Stream(messages.Submitted)
	one, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if s, err := h.Observer.JS.Stream(one, submitted); err == nil && s.CachedInfo().Cluster != nil {
		for _, peer := range s.CachedInfo().Cluster.Replicas { // one that is behind would not be elected
			if peer.Name == name && peer.Current && !peer.Offline {
				_ = h.Observer.Command(one, "$JS.API.STREAM.LEADER.STEPDOWN."+submitted, body)
			}
		}
		for _, consumer := range Led[messages.Submitted] {
			// it may lead it already
			_ = h.Observer.Command(one, "$JS.API.CONSUMER.LEADER.STEPDOWN."+submitted+"."+consumer, body)
		}
	}
	return slices.IndexFunc(h.Cluster.Servers, func(s *server) bool { return s.Name == name }), nil
}

// Cure restarts a server whose copy of the journal or of the submitted queries does not catch up,
// as an operator would. After a cut nats-server 2.15.2 sometimes continues for minutes with
// "Expected first catchup entry to be a snapshot and peerstate, will retry", and a consumer that it
// leads meanwhile delivers nothing.
func (h *Bed) Cure(ctx context.Context) error {
	var behind []string
	if Eventually(ctx, 6*time.Second, "all copies current",
		func() bool { behind = h.lagging(ctx); return len(behind) == 0 }) == nil {
		return nil
	}
	for _, s := range h.Cluster.Servers {
		if !slices.Contains(behind, s.Name) {
			continue
		}
		at := h.Inject(verdict.Downed, s.Name+", whose copies do not catch up")
		s.Running.Kill()
		if err := h.Cluster.Start(ctx, s); err != nil {
			return err
		}
		h.Recover(at)
	}
	return nil
}

// lagging names the servers whose copies of the journal or of the submitted queries are behind, or
// "?" if these have no leader.
func (h *Bed) lagging(ctx context.Context) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, kind := range []messages.Kind{messages.Journal, messages.Submitted} {
		s, err := h.Observer.JS.Stream(ctx, h.Observer.Names.Stream(kind))
		if err != nil || s.CachedInfo().Cluster == nil || s.CachedInfo().Cluster.Leader == "" {
			names = append(names, "?")
			continue
		}
		for _, peer := range s.CachedInfo().Cluster.Replicas {
			if !peer.Current || peer.Offline {
				names = append(names, peer.Name)
			}
		}
	}
	return names
}
