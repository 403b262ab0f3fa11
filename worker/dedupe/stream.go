// The store on NATS: a stream that keeps one message per subject.

package dedupe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Server error codes that are decided on.
const (
	codeWrongLastSequence = jetstream.ErrorCode(10071) // on one server, and on a leader
	codeInFlight          = jetstream.ErrorCode(10164) // on a cluster, while another write of the subject is under way
	codeStoreFull         = jetstream.ErrorCode(10077)
)

// Stream is a [Store] on a JetStream stream with one message per subject,
// per-message TTL, direct get, and RePublish.
type Stream struct {
	nc       *nats.Conn
	to       Publisher
	o        StreamOptions
	directTo string // direct-get API subject without the record's subject
}

// Publisher stores a message in its stream and gives its sequence there, or gives up after within (0: when ctx ends). What the
// server answers instead is a [jetstream.APIError].
type Publisher interface {
	PublishWithin(ctx context.Context, within time.Duration, m *nats.Msg) (sequence uint64, err error)
}

// StreamOptions name a [Stream]; all are needed.
type StreamOptions struct {
	Name    string // of the stream
	State   string // subject of a record without its key, with the dot
	Changed string // the same of the republished ones
}

// NewStream makes a Store of a stream.
func NewStream(nc *nats.Conn, to Publisher, o StreamOptions) *Stream {
	return &Stream{nc: nc, to: to, o: o, directTo: "$JS.API.DIRECT.GET." + o.Name + "."}
}

// Put implements [Store].
func (s *Stream) Put(ctx context.Context, key string, rec *Record, t Terms) (uint64, error) {
	m := &nats.Msg{Subject: s.o.State + key, Data: rec.encode(), Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(t.Expect, 10)},
		jetstream.MsgTTLHeader:              {strconv.FormatInt(int64(wholeSeconds(t.TTL)/time.Second), 10)},
	}}
	seq, err := s.to.PublishWithin(ctx, t.Within, m)
	if err == nil {
		return seq, nil
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeWrongLastSequence, codeInFlight:
			return 0, ErrConflict
		case codeStoreFull:
			return 0, fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	return 0, fmt.Errorf("write record: %w", err)
}

// Get implements [Store] by a direct get, which any replica may answer.
func (s *Stream) Get(ctx context.Context, key string) (Entry, error) {
	m, err := s.nc.RequestWithContext(ctx, s.directTo+s.o.State+key, nil)
	if err != nil {
		return Entry{}, fmt.Errorf("read record: %w", err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
		return entryOf(key, m)
	case "404":
		return Entry{Key: key}, nil
	default:
		return Entry{}, fmt.Errorf("read record: status %s %s", status, m.Header.Get("Description"))
	}
}

// Watch hands every change of every record to g, until the subscription ends.
func Watch[Q any](s *Stream, g *Group[Q], log *slog.Logger) (*nats.Subscription, error) {
	sub, err := s.nc.Subscribe(s.o.Changed+"*", func(m *nats.Msg) {
		key := m.Subject[len(s.o.Changed):]
		seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil || written(m.Data, g.o.Owner) || g.Known(key, seq) {
			// What this process wrote it takes in when it is acknowledged. A claim of its own that another
			// marks suspect is passed over, too: the next write finds that out.
			return
		}
		e, err := entryOf(key, m)
		if err != nil {
			log.Error("change not understood", "err", err)
			return
		}
		g.Observe(e)
	})
	if err != nil {
		return nil, fmt.Errorf("watch records: %w", err)
	}
	// A slow reader loses changes and polls instead; the bound keeps its memory.
	if err := sub.SetPendingLimits(1<<16, 32<<20); err != nil {
		return nil, fmt.Errorf("watch records: %w", err)
	}
	return sub, nil
}

// entryOf reads a record as a direct get or a republish brings it.
func entryOf(key string, m *nats.Msg) (Entry, error) {
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return Entry{}, fmt.Errorf("record's sequence: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return Entry{}, fmt.Errorf("record's time: %w", err)
	}
	rec, err := DecodeRecord(m.Data)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Key: key, Seq: seq, Time: at, Record: rec}, nil
}
