// The records of watches in their stream, and their schedules.

package watches

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

	"protocolq/messages"
)

// found is a record as it is in the stream.
type found struct {
	name
	record
	seq uint64
}

// store reads and writes the records. It makes no consumer: a client that may make consumers could
// choose where the server delivers to.
type store struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	api   string // "$JS.API"
	names messages.Names
}

// storeTime bounds one read or write.
const storeTime = 5 * time.Second

// errChanged says that the record has changed since it was read.
var errChanged = errors.New("the watch has changed meanwhile")

// getRequest asks for the last message of a subject, or for a page from a sequence on.
type getRequest struct {
	Last  string `json:"last_by_subj,omitempty"`
	Seq   uint64 `json:"seq,omitempty"`
	Next  string `json:"next_by_subj,omitempty"`
	Batch int    `json:"batch,omitempty"`
}

// pageOf is how many records are read at once.
const pageOf = 256

// get reads one watch; ok is false if there is none.
func (s *store) get(ctx context.Context, n name) (f found, ok bool, err error) {
	page, err := s.read(ctx, getRequest{Last: s.names.Watch(messages.WatchKept, n.owner, n.id)})
	if err != nil || len(page) == 0 {
		return found{}, false, err
	}
	return page[0], true, nil
}

// newest is the sequence of an owner's last written record; 0 if there is none.
func (s *store) newest(ctx context.Context, owner string) (uint64, error) {
	page, err := s.read(ctx, getRequest{Last: s.names.Watch(messages.WatchKept, owner, "*")})
	if err != nil || len(page) == 0 {
		return 0, err
	}
	return page[0].seq, nil
}

// list reads all watches of an owner, in the order of their last write.
func (s *store) list(ctx context.Context, owner string) (all []found, err error) {
	r := getRequest{Seq: 1, Next: s.names.Watch(messages.WatchKept, owner, "*"), Batch: pageOf}
	for {
		page, err := s.read(ctx, r)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < pageOf {
			return all, nil
		}
		r.Seq = page[len(page)-1].seq + 1
	}
}

// read sends a request and reads the responses.
func (s *store) read(ctx context.Context, r getRequest) (page []found, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("read watches: %w", err)
	}
	answers := make(chan *nats.Msg, pageOf+1) // and the end of the page
	sub, err := s.nc.ChanSubscribe(s.nc.NewInbox(), answers)
	if err == nil {
		defer func() { _ = sub.Unsubscribe() }()
		err = s.nc.PublishRequest(s.api+".DIRECT.GET."+s.names.Stream(messages.Watches), sub.Subject, body)
	}
	for err == nil {
		var m *nats.Msg
		select {
		case m = <-answers:
		case <-ctx.Done():
			return nil, fmt.Errorf("read watches: %w", ctx.Err())
		}
		switch status := m.Header.Get("Status"); status {
		case "204", "404": // the end of the page, or nothing found
			return page, nil
		case "503":
			err = nats.ErrNoResponders
		case "":
			var f found
			if f, err = s.parse(m); err == nil {
				page = append(page, f)
			}
			if r.Batch == 0 && err == nil {
				return page, nil
			}
		default:
			err = fmt.Errorf("status %s %s", status, m.Header.Get("Description"))
		}
	}
	return nil, fmt.Errorf("read watches: %w", err)
}

// parse reads a record.
func (s *store) parse(m *nats.Msg) (f found, err error) {
	if f.seq, err = strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64); err != nil {
		return f, fmt.Errorf("sequence: %w", err)
	}
	parts := strings.Split(m.Header.Get(jetstream.SubjectHeader), ".")
	f.owner, f.id = parts[max(len(parts)-2, 0)], parts[len(parts)-1]
	if err = json.Unmarshal(m.Data, &f.record); err != nil {
		return f, fmt.Errorf("record %d: %w", f.seq, err)
	}
	return f, nil
}

// put replaces the record that was read; sequence 0: it is the first.
func (s *store) put(ctx context.Context, f *found) error {
	return s.write(ctx, f, jetstream.WithExpectLastSequencePerSubject(f.seq))
}

// add writes the first record of a watch, if its owner has no watches other than own.
func (s *store) add(ctx context.Context, f *found, own []found) error {
	var newest uint64
	for i := range own {
		newest = max(newest, own[i].seq)
	}
	return s.write(ctx, f,
		jetstream.WithExpectLastSequenceForSubject(newest, s.names.Watch(messages.WatchKept, f.owner, "*")))
}

// write writes a record if the expectation holds; otherwise it returns errChanged.
func (s *store) write(ctx context.Context, f *found, expect jetstream.PublishOpt) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	data, err := json.Marshal(&f.record)
	if err != nil {
		return fmt.Errorf("write a watch: %w", err)
	}
	ack, err := s.js.Publish(ctx, s.names.Watch(messages.WatchKept, f.owner, f.id), data, expect)
	word, ok := errors.AsType[*jetstream.APIError](err)
	if ok && (word.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		word.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return errChanged
	}
	if err != nil {
		return fmt.Errorf("write a watch: %w", err)
	}
	f.seq = ack.Sequence
	return nil
}

// due is the message that a schedule delivers. It holds no personal data.
type due struct {
	AtMs  int64  `json:"at_ms"`
	Tries uint64 `json:"tries,omitempty"` // how often telling the webhook has failed
}

// plan has the server deliver a due message at a time. It replaces the earlier plan.
func (s *store) plan(ctx context.Context, n name, at time.Time) error {
	return s.planTelling(ctx, n, at, 0)
}

// planTelling is plan for a watch that has ended, after so many failed tries to tell the webhook.
func (s *store) planTelling(ctx context.Context, n name, at time.Time, tries uint64) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	data, err := json.Marshal(due{at.UnixMilli(), tries})
	if err != nil {
		return fmt.Errorf("plan a watch: %w", err)
	}
	_, err = s.js.Publish(ctx, s.names.Watch(messages.WatchPlan, n.owner, n.id), data, jetstream.WithScheduleAt(at),
		jetstream.WithScheduleTarget(s.names.Watch(messages.WatchDue, n.owner, n.id)))
	if err != nil {
		return fmt.Errorf("plan a watch: %w", err)
	}
	return nil
}

// planned is how many watches of all users have a next question, also one that is due.
func (s *store) planned(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	stream, err := s.js.Stream(ctx, s.names.Stream(messages.Watches))
	if err != nil {
		return 0, fmt.Errorf("count watches: %w", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(s.names.Watch(messages.WatchPlan, "*", "*")))
	if err != nil {
		return 0, fmt.Errorf("count watches: %w", err)
	}
	// What is due has no plan until a console has dealt with it.
	waiting, err := s.js.Consumer(ctx, s.names.Stream(messages.Watches), messages.ConsumerWatches)
	if err != nil {
		return 0, fmt.Errorf("count watches: %w", err)
	}
	return len(info.State.Subjects) + int(waiting.CachedInfo().NumPending) +
		waiting.CachedInfo().NumAckPending, nil
}

func newStore(o Options) *store {
	return &store{nc: o.NATS, js: o.JetStream, api: cmp.Or(o.API, "$JS.API"), names: o.Names}
}
