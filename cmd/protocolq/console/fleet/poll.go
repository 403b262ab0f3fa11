// One poller for all tabs: it asks the workers, the streams and the records, and sums up the
// replies.

package fleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/partner"
)

// How often the fleet is asked, and how long its workers may take to reply. One message asks all
// workers, regardless of the number of workers and of open tabs.
const (
	every       = 5 * time.Second
	answerTime  = 700 * time.Millisecond
	streamTime  = 2 * time.Second
	mostWorkers = 1000
)

// Records are the records that operators write for the fleet.
type Records interface {
	Pause(ctx context.Context) (intake.Pause, error)
	Halts(ctx context.Context) (map[string]partner.Halt, error)
}

// PollerOptions say what to ask.
type PollerOptions struct {
	NATS      *nats.Conn
	JetStream jetstream.JetStream
	Names     messages.Names
	Records   Records
	Logger    *slog.Logger
}

// Poller keeps the fleet's history.
type Poller struct {
	o PollerOptions

	mu      sync.RWMutex // guards the rest
	history History
}

// NewPoller makes a Poller; it starts nothing.
func NewPoller(o PollerOptions) *Poller {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Poller{o: o}
}

// History is the present history. It is shared: do not change it.
func (p *Poller) History() History {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.history
}

// Run asks until ctx ends.
func (p *Poller) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r := p.read(ctx)
		p.mu.Lock()
		p.history = p.history.Fold(r)
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// read reads the fleet once. If a source does not reply, its part is missing and Faults names it.
func (p *Poller) read(ctx context.Context) Reading {
	r := Reading{At: time.Now()}
	fault := func(what string, err error) {
		r.Faults = append(r.Faults, what)
		p.o.Logger.Debug("the fleet was not read", "what", what, "err", err)
	}
	var err error
	if r.Workers, err = p.workers(ctx); err != nil {
		fault("workers", err)
	}
	within, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	r.Streams = map[messages.Kind]Stream{}
	for _, kind := range messages.Kinds() {
		s, err := p.o.JetStream.Stream(within, p.o.Names.Stream(kind))
		if err != nil {
			fault("streams", err)
			break
		}
		info := s.CachedInfo()
		r.Streams[kind] = Stream{Messages: info.State.Msgs, Bytes: info.State.Bytes,
			Most: uint64(max(info.Config.MaxBytes, 0)), Last: info.State.LastSeq}
		if st := r.Streams[kind]; info.State.Msgs > 0 {
			st.Oldest = info.State.FirstTime
			r.Streams[kind] = st
		}
	}
	if r.Pause, err = p.o.Records.Pause(within); err != nil {
		fault("records", err)
	} else if r.Halts, err = p.o.Records.Halts(within); err != nil {
		fault("records", err)
	}
	return r
}

// workers asks the micro service for its figures. A worker that does not reply in time is missing
// from the result.
func (p *Poller) workers(ctx context.Context) (map[string]Worker, error) {
	subject, err := micro.ControlSubject(micro.StatsVerb, messages.ServiceName, "")
	if err != nil {
		return nil, err
	}
	answers := make(chan *nats.Msg, mostWorkers)
	sub, err := p.o.NATS.ChanSubscribe(p.o.NATS.NewInbox(), answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := p.o.NATS.PublishRequest(subject, sub.Subject, nil); err != nil {
		return nil, err
	}
	found, end := map[string]Worker{}, time.After(answerTime)
	for {
		select {
		case m := <-answers:
			if m.Header.Get("Status") == "503" { // there are no workers
				return found, nil
			}
			id, w, ok := readStats(m.Data)
			if ok && len(found) < mostWorkers {
				found[id] = w
			}
		case <-end:
			return found, nil
		case <-ctx.Done():
			return found, ctx.Err()
		}
	}
}

// readStats reads one reply; ok is false if it is not from a worker.
func readStats(data []byte) (id string, w Worker, ok bool) {
	var s micro.Stats
	if json.Unmarshal(data, &s) != nil || s.Name != messages.ServiceName || s.ID == "" || len(s.Endpoints) == 0 {
		return "", w, false
	}
	if json.Unmarshal(s.Endpoints[0].Data, &w.Stats) != nil {
		return "", w, false
	}
	w.Owner, w.Version = s.Metadata["owner"], s.Version
	return s.ID, w, true
}
