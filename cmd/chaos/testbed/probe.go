//go:build unix

// How long the servers take to store anything at all: a machine that stands still must not be taken
// for a worker that is late.

package testbed

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/chaos/verdict"
)

// What the probe stores, and where.
const (
	probeStream  = "CHAOS_PROBE"
	probeSubject = "chaos.probe"
	probeEvery   = 100 * time.Millisecond
	probeSlow    = 250 * time.Millisecond // to store it
)

// probe stores a message at short intervals, and notes when that takes long.
type probe struct {
	jS jetstream.JetStream

	mu     sync.Mutex // guards the rest
	stalls []verdict.Stall
}

// run probes until ctx ends.
func (p *probe) run(ctx context.Context, replicas int) {
	_, _ = p.jS.CreateOrUpdateStream(ctx,
		jetstream.StreamConfig{Name: probeStream, Subjects: []string{probeSubject}, MaxMsgs: 1, Replicas: replicas})
	for Pause(ctx, probeEvery) == nil {
		sent := time.Now()
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := p.jS.Publish(one, probeSubject, nil)
		cancel()
		if took := time.Since(sent); ctx.Err() == nil && (err != nil || took > probeSlow) {
			p.mu.Lock()
			p.stalls = append(p.stalls, verdict.Stall{From: sent.UnixMicro(), To: sent.Add(took).UnixMicro()})
			p.mu.Unlock()
		}
	}
}

// all returns the notes.
func (p *probe) all() []verdict.Stall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]verdict.Stall(nil), p.stalls...)
}
