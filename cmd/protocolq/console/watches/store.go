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

// found is a record as it lies in the stream.
type found struct {
	name
	record
	seq uint64
}

// store reads and writes them. It makes no consumer: who may make one chooses where the server
// delivers to.
type store struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	api   string // "$JS.API"
	names messages.Names
}

// storeTime bounds one reading or writing.
const storeTime = 5 * time.Second

// errChanged says that a record is another since it was read.
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

// get reads one watch; ok is false where there is none.
func (s *store) get(ctx context.Context, n name) (f found, ok bool, err error) {
	page, err := s.read(ctx, getRequest{Last: s.names.Watch(messages.WatchKept, n.owner, n.id)})
	if err != nil || len(page) == 0 {
		return found{}, false, err
	}
	return page[0], true, nil
}

// newest is the sequence of what was written last of an owner; 0 where there is nothing.
func (s *store) newest(ctx context.Context, owner string) (uint64, error) {
	page, err := s.read(ctx, getRequest{Last: s.names.Watch(messages.WatchKept, owner, "*")})
	if err != nil || len(page) == 0 {
		return 0, err
	}
	return page[0].seq, nil
}

// list reads all watches of an owner, in the order in which they were written last.
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

// read sends a request and reads its answers.
func (s *store) read(ctx context.Context, r getRequest) (page []found, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("read watches: %w", err)
	}
	answers := make(chan *nats.Msg, pageOf+1) // and the end
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
		case "204", "404": // the end of the page, nothing at all
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

// put writes a record in place of the one that was read; sequence 0: it is the first.
func (s *store) put(ctx context.Context, f *found) error {
	return s.write(ctx, f, jetstream.WithExpectLastSequencePerSubject(f.seq))
}

// add writes the first record of a watch, if its owner has no other watches than those of a list.
func (s *store) add(ctx context.Context, f *found, own []found) error {
	var newest uint64
	for i := range own {
		newest = max(newest, own[i].seq)
	}
	return s.write(ctx, f,
		jetstream.WithExpectLastSequenceForSubject(newest, s.names.Watch(messages.WatchKept, f.owner, "*")))
}

// write writes a record where what is expected is so, else it is errChanged.
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

// due is what a schedule gives. It says nothing of a person.
type due struct {
	AtMs  int64  `json:"at_ms"`
	Tries uint64 `json:"tries,omitempty"` // how often the webhook was told in vain
}

// plan has the server give a due message at a time, in place of what was planned before.
func (s *store) plan(ctx context.Context, n name, at time.Time) error {
	return s.planTelling(ctx, n, at, 0)
}

// planTelling is plan for a watch that has ended, of which the webhook was told so often in vain.
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

// planned is how many watches of all users have a next question.
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
	return len(info.State.Subjects), nil
}

func newStore(o Options) *store {
	return &store{nc: o.NATS, js: o.JetStream, api: cmp.Or(o.API, "$JS.API"), names: o.Names}
}
