// Package snapshot reads the state of a fleet at one moment from NATS: what its workers say about
// themselves, and what its streams and records hold. Every command that shows or checks a fleet
// uses it.
package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"protocolq/messages"
	"protocolq/worker"
)

// Bounds of asking all workers.
const (
	askTime     = 2 * time.Second
	quietTime   = 300 * time.Millisecond // after an answer: no other comes after that
	mostWorkers = 1000
)

// Workers asks all workers for their figures, in the order of their members' names. It is no error
// if there is none. A worker answers once, within askTime or not at all.
func Workers(ctx context.Context, nc *nats.Conn) ([]worker.Stats, error) {
	in := make(chan *nats.Msg, mostWorkers)
	sub, err := nc.ChanSubscribe(nc.NewInbox(), in)
	if err != nil {
		return nil, fmt.Errorf("ask the workers: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection, which has none
	subject, err := micro.ControlSubject(micro.StatsVerb, messages.ServiceName, "")
	if err == nil {
		err = nc.PublishRequest(subject, sub.Subject, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the workers: %w", err)
	}
	timer := time.NewTimer(askTime)
	defer timer.Stop()
	var all []worker.Stats
	for len(all) < mostWorkers && !complete(all) {
		select {
		case m := <-in:
			if m.Header.Get("Status") == "503" {
				return nil, nil // there are no workers
			}
			if s, err := statsOf(m.Data); err == nil {
				all = append(all, s)
			}
			timer.Reset(quietTime)
			continue
		case <-timer.C:
		case <-ctx.Done():
			if len(all) == 0 {
				return nil, fmt.Errorf("ask the workers: %w", ctx.Err())
			}
		}
		break
	}
	slices.SortFunc(all, func(a, b worker.Stats) int { return strings.Compare(a.Member, b.Member) })
	return all, nil
}

// complete reports whether as many have answered as each of them counts members.
func complete(all []worker.Stats) bool {
	most := 1
	for _, s := range all {
		most = max(most, s.Members)
	}
	return len(all) >= most
}

var errNoFigures = errors.New("not the figures of a worker")

// statsOf reads one answer: the figures are at the first endpoint.
func statsOf(data []byte) (s worker.Stats, err error) {
	var m micro.Stats
	if err := json.Unmarshal(data, &m); err != nil {
		return s, err
	}
	for _, e := range m.Endpoints {
		if len(e.Data) > 0 && string(e.Data) != "null" {
			return s, json.Unmarshal(e.Data, &s)
		}
	}
	return s, errNoFigures
}
