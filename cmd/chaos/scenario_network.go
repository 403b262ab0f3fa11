//go:build unix

// Harm to the network and to the leaders of a cluster: nobody dies, but not all hear each other.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Kinds of faults that take nothing from a worker.
const (
	deposed  = "stepdown"  // a leader in a cluster
	powerOut = "power cut" // of all NATS servers and the query log at once
)

// networkScenarios are those in which no process is harmed.
func networkScenarios() []scenario {
	lost := bounds{Excused: true}
	return []scenario{
		{name: "elections", about: "leaders of streams and consumers made to step down, again and again", plan: plan{Servers: 3}, harm: elections},
		{name: "island", about: "a NATS server, which leads, apart from the two others: mute, then deaf, then cut off", bounds: lost,
			plan: plan{Servers: 3, Parted: true}, least: 28 * time.Second, harm: islands},
		{name: "oneway", about: "a worker that NATS does not hear, then one that does not hear NATS, past its lease", bounds: lost,
			plan: plan{Cuttable: true}, least: 17 * time.Second, harm: oneWay},
	}
}

// led are the streams, and the consumers of each, whose leaders are harmed.
var led = map[messages.Kind][]string{
	messages.Requests: {messages.ConsumerAsked, messages.ConsumerSubmitted}, messages.State: nil,
	messages.Waiting: {messages.ConsumerWaiting}, messages.Partners: nil, messages.Replies: nil, messages.Events: nil, messages.Log: nil,
}

// elections lets one leader after the other step down, the stream of the records more often than the rest.
func elections(ctx context.Context, h *house, long time.Duration) error {
	var subjects []string
	for _, kind := range []messages.Kind{messages.Requests, messages.State, messages.Waiting, messages.Partners, messages.Replies, messages.Events, messages.Log} {
		stream := h.seen.names.Stream(kind)
		subjects = append(subjects, "$JS.API.STREAM.LEADER.STEPDOWN."+stream)
		for _, consumer := range led[kind] {
			subjects = append(subjects, "$JS.API.CONSUMER.LEADER.STEPDOWN."+stream+"."+consumer)
		}
	}
	done := 0
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := pause(ctx, time.Duration(100+h.rng.IntN(300))*time.Millisecond); err != nil {
			return err
		}
		i := h.rng.IntN(len(subjects))
		if h.rng.IntN(3) == 0 {
			i = 0
		}
		if err := h.seen.command(ctx, subjects[i], ""); err == nil {
			h.did(deposed, subjects[i])
			done++
		}
	}
	if done < 5 {
		return fmt.Errorf("only %d leaders have stepped down", done)
	}
	return nil
}

// command sends a request to the API of JetStream; an answer that tells an error is one.
func (o *observer) command(ctx context.Context, subject, body string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	m, err := o.nc.RequestWithContext(ctx, subject, []byte(body))
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

// leader finds who leads the records, once somebody does, and lets him lead the requests and their consumers, too, if he can.
func (h *house) leader(ctx context.Context) (at int, err error) {
	names, name := h.seen.names, ""
	err = eventually(ctx, 20*time.Second, "a leader of the records", func() bool {
		one, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		s, err := h.seen.js.Stream(one, names.Stream(messages.State))
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		name = s.CachedInfo().Cluster.Leader
		return name != ""
	})
	if err != nil {
		return 0, err
	}
	body, requests := fmt.Sprintf(`{"placement":{"preferred":%q}}`, name), names.Stream(messages.Requests)
	one, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if s, err := h.seen.js.Stream(one, requests); err == nil && s.CachedInfo().Cluster != nil {
		for _, peer := range s.CachedInfo().Cluster.Replicas { // one that has yet to catch up would win no election
			if peer.Name == name && peer.Current && !peer.Offline {
				_ = h.seen.command(one, "$JS.API.STREAM.LEADER.STEPDOWN."+requests, body)
			}
		}
		for _, consumer := range led[messages.Requests] {
			_ = h.seen.command(one, "$JS.API.CONSUMER.LEADER.STEPDOWN."+requests+"."+consumer, body) // he may lead it already
		}
	}
	return slices.IndexFunc(h.cluster.servers, func(s *server) bool { return s.name == name }), nil
}

// cure starts a server again whose copy of the records or the requests does not catch up, as who looks after it would: after
// a cut nats-server 2.15.2 at times goes on for minutes with "Expected first catchup entry to be a snapshot and peerstate, will
// retry", and a consumer that it leads meanwhile delivers nothing.
func (h *house) cure(ctx context.Context) error {
	var behind []string
	if eventually(ctx, 6*time.Second, "all copies current", func() bool { behind = h.lagging(ctx); return len(behind) == 0 }) == nil {
		return nil
	}
	for _, s := range h.cluster.servers {
		if !slices.Contains(behind, s.name) {
			continue
		}
		at := h.did(downed, s.name+", whose copies do not catch up")
		s.running.kill()
		if err := h.cluster.start(ctx, s); err != nil {
			return err
		}
		h.mended(at)
	}
	return nil
}

// lagging names the servers whose copies of the records or the requests are behind, or "?" where nobody leads those.
func (h *house) lagging(ctx context.Context) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, kind := range []messages.Kind{messages.State, messages.Requests} {
		s, err := h.seen.js.Stream(ctx, h.seen.names.Stream(kind))
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

// islands parts the server that leads from the two others, in three ways; the worker at its side goes with it. The clean cut
// lasts until the others have chosen new leaders and taken over what that worker had under way.
func islands(ctx context.Context, h *house, long time.Duration) error {
	cuts := []struct {
		how  string
		away time.Duration
		does func(*proxy, direction)
	}{
		{"mute", lease + 2*time.Second, func(way *proxy, out direction) { way.hold(out) }},
		{"deaf", lease + 2*time.Second, func(way *proxy, out direction) { way.hold(1 - out) }},
		{"cut off", electing + lease, func(way *proxy, _ direction) { way.sever() }},
	}
	end := time.Now().Add(long)
	for n := 0; n < len(cuts) || time.Now().Before(end); n++ {
		if err := pause(ctx, time.Duration(1000+h.rng.IntN(700))*time.Millisecond); err != nil {
			return err
		}
		island, err := h.leader(ctx)
		if err != nil {
			return err
		}
		cut := cuts[n%len(cuts)]
		at := h.did(cutOff, fmt.Sprintf("%s with %s, %s", h.cluster.servers[island].name, h.workers[island].name, cut.how))
		h.cluster.each(island, cut.does)
		if err := pause(ctx, cut.away); err != nil {
			return err
		}
		h.cluster.each(island, func(way *proxy, _ direction) { way.heal() })
		h.mended(at)
		if err := h.cure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// electing is how long two servers of three need, as a rule, until they have a leader: each waits 4 to 9 s before it stands.
const electing = 7 * time.Second

// oneWay holds up what goes between a worker and NATS in one direction, then in the other. Nothing is lost, all is late: the
// words of a holder whose key another has taken by then, and the permission to call of one whose lease is over.
func oneWay(ctx context.Context, h *house, long time.Duration) error {
	each := max(lease+3*time.Second, long/2-3*time.Second)
	for _, cut := range []struct {
		how  string
		held direction
	}{{"mute", there}, {"deaf", back}} {
		if err := pause(ctx, time.Duration(800+h.rng.IntN(700))*time.Millisecond); err != nil {
			return err
		}
		at := h.did(cutOff, h.workers[0].name+", "+cut.how)
		h.line.hold(cut.held)
		if err := pause(ctx, each); err != nil {
			return err
		}
		h.line.heal()
		h.mended(at)
	}
	return nil
}
