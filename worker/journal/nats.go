// The log on NATS: a JetStream stream with a subject for each member.

package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Server error codes that decide what to do.
const (
	codeWrongLastSequence = jetstream.ErrorCode(10071) // on one server, and on a leader
	codeInFlight          = jetstream.ErrorCode(10164) // on a cluster, while another write of the subject is under way
	codeNoStream          = jetstream.ErrorCode(10059)
	codeStoreFull         = jetstream.ErrorCode(10077)
	codeNoRoom            = jetstream.ErrorCode(10047) // the server's storage
	codeAccountFull       = jetstream.ErrorCode(10002)
	codeNoMessage         = jetstream.ErrorCode(10037)

	tooManyRequests = 429 // the one refusal of its class that passes
)

// Bounds of what is read.
const (
	maxFollowed  = 64 << 20 // bytes that wait for a follower
	batchCount   = 1024
	batchBytes   = 4 << 20
	headerBytes  = 256 // of a batch on its way, with what the client adds
	statusHeader = "Status"
	directGet    = ".DIRECT.GET."
)

// Publisher stores a message in its stream and gives its sequence there. A refusal by the server is
// a [jetstream.APIError].
type Publisher interface {
	Publish(ctx context.Context, m *nats.Msg) (sequence uint64, err error)
}

// JetStream is a [Log] on a stream that [JetStreamOptions.Config] describes.
type JetStream struct{ o JetStreamOptions }

// JetStreamOptions are what a [JetStream] needs; all but API are needed.
type JetStreamOptions struct {
	Conn      *nats.Conn
	API       string // prefix of the JetStream API; "" is $JS.API
	Publisher Publisher
	Stream    string // its name
	Journal   string // subject of a batch without the member, with the dot
	Followed  string // the same for republished batches
}

// NewJetStream makes the log of a stream.
func NewJetStream(o JetStreamOptions) *JetStream {
	o.API = cmp.Or(o.API, "$JS.API")
	return &JetStream{o}
}

// Config is the stream's configuration: nothing in it expires, a full stream refuses, and every
// message is republished once it is committed.
func (o JetStreamOptions) Config(replicas int, maxBytes int64) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: o.Stream, Subjects: []string{o.Journal +
			"*"}, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, AllowDirect: true, Replicas: replicas, MaxBytes: maxBytes,
		RePublish: &jetstream.RePublish{Source: o.Journal + "*", Destination: o.Followed + "{{wildcard(1)}}"},
	}
}

// LeastMessage is the smallest message limit with which a log works: the longest entry has to fit.
// By default NATS allows messages of a mebibyte.
const LeastMessage = 128 << 10

// Limit is how many bytes a batch may have: what the connection and the stream allow, and at most
// [MaxBatch]. [ErrSmall] says that this is less than [LeastMessage]; somebody has to allow more.
func (j *JetStream) Limit(ctx context.Context) (int, error) {
	info, err := j.info(ctx)
	if err != nil {
		return 0, err
	}
	// The server has sent this user's limit by now, which may be below the server's own.
	payload, size := int(j.o.Conn.MaxPayload()), info.Config.MaxMsgSize
	switch {
	case payload < LeastMessage:
		return 0, fmt.Errorf("%w: of %d bytes, and %d are the least: raise max_payload of the server, the account or "+
			"the user", ErrSmall, payload, LeastMessage)
	case 0 < size && size < LeastMessage:
		return 0, fmt.Errorf("%w: of %d bytes, and %d are the least: raise max_msg_size of %s", ErrSmall, size,
			LeastMessage, j.o.Stream)
	case size > 0:
		payload = min(payload, size)
	}
	return min(payload-headerBytes, MaxBatch), nil
}

// State implements [Keeper].
func (j *JetStream) State(ctx context.Context) (State, error) {
	info, err := j.info(ctx)
	if err != nil {
		return State{}, err
	}
	return State{ // the server says 0 for a stream that never held anything
		First: max(info.State.FirstSeq,
			1), Last: info.State.LastSeq, Bytes: info.State.Bytes, MaxBytes: uint64(max(info.Config.MaxBytes, 0)),
		Time: info.Time,
	}, nil
}

// streamInfo is the needed part of the stream's settings and state.
type streamInfo struct {
	Config struct {
		MaxMsgSize int   `json:"max_msg_size"`
		MaxBytes   int64 `json:"max_bytes"`
	} `json:"config"`
	Time  time.Time `json:"ts"`
	State struct {
		FirstSeq uint64 `json:"first_seq"`
		LastSeq  uint64 `json:"last_seq"`
		Bytes    uint64 `json:"bytes"`
	} `json:"state"`
}

func (j *JetStream) info(ctx context.Context) (info streamInfo, err error) {
	reply, err := j.ask(ctx, "STREAM.INFO.", nil)
	if err == nil {
		err = json.Unmarshal(reply, &info)
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeNoStream {
		err = fmt.Errorf("%w: %w", ErrNoLog, err)
	}
	if err != nil {
		err = fmt.Errorf("journal: read the stream's state: %w", err)
	}
	return info, err
}

// Purge implements [Keeper].
func (j *JetStream) Purge(ctx context.Context, below uint64) error {
	if below <= 1 {
		return nil // nothing is below, and for the server 0 means everything
	}
	if _, err := j.ask(ctx, "STREAM.PURGE.", fmt.Appendf(nil, `{"seq":%d}`, below)); err != nil {
		return fmt.Errorf("journal: purge below %d: %w", below, err)
	}
	return nil
}

// ask sends a request about the stream to the API and returns the response, unless it is an error.
func (j *JetStream) ask(ctx context.Context, what string, request []byte) ([]byte, error) {
	m, err := j.o.Conn.RequestWithContext(ctx, j.o.API+"."+what+j.o.Stream, request)
	if err != nil {
		return nil, err
	}
	var reply struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return nil, err
	}
	if reply.Error != nil {
		return nil, reply.Error
	}
	return m.Data, nil
}

// Append implements [Appender].
func (j *JetStream) Append(ctx context.Context, a Append) (uint64, error) {
	m := &nats.Msg{Subject: j.o.Journal + string(a.Member), Data: a.Data,
		Header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(a.Expect, 10)}}}
	position, err := j.o.Publisher.Publish(ctx, m)
	if err != nil {
		return 0, j.appendError(m.Subject, err)
	}
	return position, nil
}

// appendError separates errors that may pass from those that will not.
func (j *JetStream) appendError(subject string, err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch {
		case api.ErrorCode == codeWrongLastSequence || api.ErrorCode == codeInFlight:
			return fmt.Errorf("%w: %w", ErrRefused, err)
		case api.ErrorCode == codeStoreFull || api.ErrorCode == codeNoRoom || api.ErrorCode == codeAccountFull:
			return fmt.Errorf("%w: %w", ErrFull, err)
		case api.Code == tooManyRequests: // too much waits for the stream
		case api.Code/100 == 4: // such as a message that is longer than the stream's max_msg_size
			return fmt.Errorf("%w: %w", ErrPermanent, err)
		}
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	// The server does not reply to a publish that it forbids.
	if word := j.o.Conn.LastError(); errors.Is(word, nats.ErrPermissionViolation) &&
		strings.Contains(word.Error(), strconv.Quote(subject)) {
		return fmt.Errorf("%w: %w", ErrPermanent, errors.Join(err, word))
	}
	return fmt.Errorf("journal: append: %w", err)
}

// Last implements [Appender].
func (j *JetStream) Last(ctx context.Context, m Member) (Message, error) {
	last, err := j.atLeader(ctx, map[string]any{"last_by_subj": j.o.Journal + string(m)})
	if err != nil {
		return Message{}, fmt.Errorf("journal: read the last batch: %w", err)
	}
	last.Member = m
	return last, nil
}

// AtLeader implements [Leader].
func (j *JetStream) AtLeader(ctx context.Context, position uint64) (Message, error) {
	m, err := j.atLeader(ctx, map[string]any{"seq": max(position, 1)})
	if err != nil {
		return Message{}, fmt.Errorf("journal: read a batch at the leader: %w", err)
	}
	return m, nil
}

// atLeader reads a message by a request that only the stream's leader answers.
func (j *JetStream) atLeader(ctx context.Context, which map[string]any) (Message, error) {
	request, err := json.Marshal(which)
	if err != nil {
		return Message{}, err
	}
	reply, err := j.ask(ctx, "STREAM.MSG.GET.", request)
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeNoMessage {
		return Message{}, nil
	}
	if err != nil {
		return Message{}, err
	}
	var got struct {
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Time     time.Time `json:"time"`
			Data     []byte    `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply, &got); err != nil || got.Message.Sequence == 0 {
		return Message{}, fmt.Errorf("no message in the answer: %w", err)
	}
	return Message{Member: Member(strings.TrimPrefix(got.Message.Subject, j.o.Journal)), Position: got.Message.Sequence,
		Stored: got.Message.Time, Data: got.Message.Data}, nil
}

// Follow implements [Source] by the republished messages.
func (j *JetStream) Follow(each func(Message)) (func(), error) {
	sub, err := j.o.Conn.Subscribe(j.o.Followed+"*", func(m *nats.Msg) {
		// a message that the server did not send shows as a gap, if at all
		if got, err := read(m, m.Subject, j.o.Followed); err == nil {
			each(got)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("journal: follow: %w", err)
	}
	// A slow reader loses messages and reads them again; the limit bounds its memory.
	if err := sub.SetPendingLimits(-1, maxFollowed); err != nil {
		return nil, fmt.Errorf("journal: follow: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// read reads a message that the server republished, or returned on request.
func read(m *nats.Msg, subject, prefix string) (Message, error) {
	position, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return Message{}, fmt.Errorf("sequence of a message: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return Message{}, fmt.Errorf("time of a message: %w", err)
	}
	member, ok := strings.CutPrefix(subject, prefix)
	if !ok {
		return Message{}, fmt.Errorf("subject %.80q of a message is no member's", subject)
	}
	return Message{Member: Member(member), Position: position, Stored: at, Data: m.Data}, nil
}

// Get implements [Getter] by a direct get, which any replica may answer.
func (j *JetStream) Get(ctx context.Context, position uint64) (Message, error) {
	m, err := j.o.Conn.RequestWithContext(ctx, j.o.API+directGet+j.o.Stream,
		fmt.Appendf(nil, `{"seq":%d}`, max(position, 1)))
	if err != nil {
		return Message{}, fmt.Errorf("journal: read a batch: %w", err)
	}
	switch status := m.Header.Get(statusHeader); status {
	case "":
		return read(m, m.Header.Get(jetstream.SubjectHeader), j.o.Journal)
	case "404":
		return Message{}, nil
	default:
		return Message{}, fmt.Errorf("journal: read a batch: status %s %s", status, m.Header.Get("Description"))
	}
}

// Next implements [Source] by one batched direct get, which any replica may answer.
func (j *JetStream) Next(ctx context.Context, from uint64) ([]Message, error) {
	// The channel has room for one response and its end. A subscription's own buffer takes half a
	// megabyte, for each request of a fleet at rest.
	answer := make(chan *nats.Msg, batchCount+1)
	sub, err := j.o.Conn.ChanSubscribe(j.o.Conn.NewInbox(), answer)
	if err != nil {
		return nil, fmt.Errorf("journal: read on: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	request := fmt.Appendf(nil, `{"seq":%d,"batch":%d,"max_bytes":%d}`, max(from, 1), batchCount, batchBytes)
	if err := j.o.Conn.PublishRequest(j.o.API+directGet+j.o.Stream, sub.Subject, request); err != nil {
		return nil, fmt.Errorf("journal: read on: %w", err)
	}
	var all []Message
	for last := uint64(0); ; {
		var m *nats.Msg
		select {
		case m = <-answer:
		case <-ctx.Done():
			return all, fmt.Errorf("journal: read on: %w", ctx.Err())
		}
		if status := m.Header.Get(statusHeader); status == "204" || status == "404" {
			return all, nil
		} else if status != "" {
			return all, fmt.Errorf("journal: read on: status %s %s", status, m.Header.Get("Description"))
		}
		got, err := read(m, m.Header.Get(jetstream.SubjectHeader), j.o.Journal)
		if err != nil {
			return all, fmt.Errorf("journal: read on: %w", err)
		}
		// Each message names the one before it in this response: a message lost on the way must not seem
		// missing in the log.
		if m.Header.Get(jetstream.LastSequenceHeader) != strconv.FormatUint(last, 10) {
			return all, fmt.Errorf("journal: read on: a message of the answer was lost before position %d",
				got.Position)
		}
		last = got.Position
		all = append(all, got)
	}
}
