// Records on NATS: a stream that keeps one message per subject.

package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/publish"
)

// Codes of the server that say why nothing was written.
const (
	codeWrongLastSequence = jetstream.ErrorCode(10071) // on one server, and on a leader
	codeInFlight          = jetstream.ErrorCode(10164) // on a cluster, while another write of the subject is under way
)

// Publisher stores a message in its stream and gives its sequence there, or gives up when ctx ends.
// What the server answers instead is a [jetstream.APIError].
type Publisher interface {
	Publish(ctx context.Context, m *nats.Msg) (sequence uint64, err error)
}

// Options are what a [Stream] needs. All but Foreign are needed.
type Options struct {
	NATS    *nats.Conn // to read and to watch
	To      Publisher  // to write
	Name    string     // of the stream
	Subject string     // of a record without its name, with the dot
	Changed string     // the same for what the stream republishes
	// Foreign is called with each record that [Stream.Change] cannot read: its contents are JSON,
	// see [Decode]. nil: they are anything.
	Foreign func(name string, err error)
}

// Stream is a [Store] on a JetStream stream with one message per subject, direct get and RePublish.
type Stream struct {
	o      Options
	direct string // direct-get API subject without the record's name
}

// NewStream makes a Store of a stream. It does not check whether the stream exists.
func NewStream(o Options) *Stream {
	return &Stream{o: o, direct: "$JS.API.DIRECT.GET." + o.Name + "." + o.Subject}
}

// At is s with api as the prefix of the JetStream API, for example in another domain; "" is
// $JS.API.
func (s *Stream) At(api string) *Stream {
	at := *s
	if api != "" {
		at.direct = api + ".DIRECT.GET." + s.o.Name + "." + s.o.Subject
	}
	return &at
}

// Get implements [Store] by a direct get, which any replica may answer.
func (s *Stream) Get(ctx context.Context, name string) (Record, error) {
	if _, ends := ctx.Deadline(); !ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	m, err := s.o.NATS.RequestWithContext(ctx, s.direct+name, nil)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
		return stored(name, m)
	case "404":
		return Record{Name: name}, nil
	default:
		return Record{}, fmt.Errorf("read record: status %s %s", status, m.Header.Get("Description"))
	}
}

// Put implements [Store]. It writes once and does not try again.
func (s *Stream) Put(ctx context.Context, name string, data []byte, expect uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m := &nats.Msg{Subject: s.o.Subject + name, Data: data, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(expect, 10)}}}
	seq, err := s.o.To.Publish(ctx, m)
	if err != nil {
		return 0, fmt.Errorf("write record: %w", classified(err))
	}
	return seq, nil
}

// classified is the server's reason for writing nothing, or err unchanged.
func classified(err error) error {
	api, refused := errors.AsType[*jetstream.APIError](err)
	switch {
	case refused && (api.ErrorCode == codeWrongLastSequence || api.ErrorCode == codeInFlight):
		return ErrConflict
	case publish.Full(err):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}

// Change is [Change] on s's records. An unreadable record is overwritten, as if there were none;
// one of a later version is left to others for four minutes, see [Record.Left].
func (s *Stream) Change(ctx context.Context, name string, edit func(last []byte) ([]byte, error)) error {
	return change(ctx, s, name, func(last Record) ([]byte, error) {
		if s.o.Foreign == nil {
			return edit(last.Data)
		}
		var content map[string]json.RawMessage
		if err := Decode(last.Data, &content); err != nil {
			s.o.Foreign(name, err)
			if last.Left(err, time.Now()) {
				return nil, err
			}
			last.Data = nil
		}
		return edit(last.Data)
	})
}

// Watch calls changed with each record that is written and whose name matches pattern, until stop
// is called. In pattern, * stands for any one token. The calls come one after the other, with an
// error for a message that is not a record. A change may be lost, with the connection or if the
// reader is far behind: read now and then what must not be missed.
func (s *Stream) Watch(pattern string, changed func(Record, error)) (stop func(), err error) {
	sub, err := s.o.NATS.Subscribe(s.o.Changed+pattern, func(m *nats.Msg) {
		changed(stored(m.Subject[len(s.o.Changed):], m))
	})
	if err != nil {
		return nil, fmt.Errorf("watch records: %w", err)
	}
	if err := sub.SetPendingLimits(1<<16, 32<<20); err != nil {
		return nil, fmt.Errorf("watch records: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// stored reads a record from a direct get or a republished message.
func stored(name string, m *nats.Msg) (Record, error) {
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("read record %s: its sequence: %w", name, err)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return Record{}, fmt.Errorf("read record %s: its time: %w", name, err)
	}
	return Record{Name: name, Data: m.Data, Seq: seq, Time: at}, nil
}
