//go:build unix

// Following the journal from its first message on during the harm, so that no purge hides its
// content.

package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/chaos/verdict"
)

// follower keeps every message of the stream JOURNAL: as republished, or by a get if one was
// missed.
type follower struct {
	conn *nats.Conn
	// the stream's name, and the subjects before a member's id in the stream and when republished
	stream, subject, followed string

	mu    sync.Mutex // guards the rest
	lives []*life
}

// life is the journal from its beginning until it is deleted or replaced.
type life struct {
	messages map[uint64]verdict.Stored
	cursor   uint64 // everything up to here is there, or was purged before it was read
	missed   []string
}

// follow begins to listen.
func follow(nc *nats.Conn, stream, subject, followed string) (*follower, error) {
	f := &follower{conn: nc, stream: stream, subject: subject, followed: followed,
		lives: []*life{{messages: map[uint64]verdict.Stored{}}}}
	sub, err := nc.Subscribe(followed+"*", func(m *nats.Msg) {
		if s, err := storedOf(m, m.Subject, followed); err == nil {
			f.keep(s)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("follow the journal: %w", err)
	}
	return f, sub.SetPendingLimits(-1, -1)
}

// storedOf reads a message that a stream republished, or returned on request.
func storedOf(m *nats.Msg, subject, before string) (s verdict.Stored, err error) {
	if s.Position, err = strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64); err != nil {
		return s, err
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return s, err
	}
	member, ok := strings.CutPrefix(subject, before)
	if !ok {
		return s, fmt.Errorf("%q is no member's subject", subject)
	}
	s.At, s.Member, s.Data = at.UnixMicro(), member, m.Data
	return s, nil
}

// keep adds a message and moves the cursor over what is there.
func (f *follower) keep(all ...verdict.Stored) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.lives[len(f.lives)-1]
	for _, s := range all {
		now.messages[s.Position] = s
	}
	for {
		if _, there := now.messages[now.cursor+1]; !there {
			return
		}
		now.cursor++
	}
}

// Renew says that the journal is another one from here on: deleted and made again, or restored to
// an older state.
func (f *follower) Renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lives = append(f.lives, &life{messages: map[uint64]verdict.Stored{}})
}

// behind returns the first missing position, and whether a later one is there.
func (f *follower) behind() (from uint64, gap bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.lives[len(f.lives)-1]
	return now.cursor + 1, uint64(len(now.messages)) > now.cursor
}

// run closes gaps until ctx ends, quickly, while missing messages still exist.
func (f *follower) run(ctx context.Context) {
	for n := 0; Pause(ctx, 250*time.Millisecond) == nil; n++ {
		if _, gap := f.behind(); gap || n%8 == 0 {
			_ = f.fill(ctx) // tried again soon
		}
	}
}

// fill asks the stream for messages after the cursor. They begin later if the ones before were
// purged.
func (f *follower) fill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		from, _ := f.behind()
		all, err := f.get(ctx, from)
		if len(all) == 0 {
			return err
		}
		if all[0].Position > from {
			f.skip(from, all[0].Position)
		}
		if f.keep(all...); err != nil {
			return err
		}
	}
}

// skip notes that positions were purged before they were read.
func (f *follower) skip(from, to uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.lives[len(f.lives)-1]
	if now.cursor+1 == from {
		now.missed = append(now.missed, fmt.Sprintf("%d to %d", from, to-1))
		now.cursor = to - 1
	}
}

// get returns messages from a position on.
func (f *follower) get(ctx context.Context, from uint64) (all []verdict.Stored, err error) {
	sub, err := f.conn.SubscribeSync(f.conn.NewInbox())
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := f.conn.PublishRequest("$JS.API.DIRECT.GET."+f.stream, sub.Subject,
		fmt.Appendf(nil, `{"seq":%d,"batch":500,"max_bytes":4000000}`, from)); err != nil {
		return nil, err
	}
	for before := "0"; ; {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return all, err
		}
		switch m.Header.Get("Status") {
		case "":
		case "204", "404":
			return all, nil
		default:
			return all, fmt.Errorf("read the journal: status %s %s", m.Header.Get("Status"),
				m.Header.Get("Description"))
		}
		s, err := storedOf(m, m.Header.Get(jetstream.SubjectHeader), f.subject)
		if err == nil && m.Header.Get(jetstream.LastSequenceHeader) != before {
			err = errors.New("a message of the answer was lost")
		}
		if err != nil {
			return all, err
		}
		before = strconv.FormatUint(s.Position, 10)
		all = append(all, s)
	}
}

// last is the position of the newest message, by the stream's leader; 0 if there is no stream.
func (f *follower) last(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	m, err := f.conn.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+f.stream, nil)
	if err != nil {
		return 0, err
	}
	var info struct {
		Error *jetstream.APIError `json:"error"`
		State struct {
			Last uint64 `json:"last_seq"`
		} `json:"state"`
	}
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return 0, err
	}
	if info.Error != nil && info.Error.ErrorCode != jetstream.JSErrCodeStreamNotFound {
		return 0, info.Error
	}
	return info.State.Last, nil
}

// all returns every life of the journal, once everything that the leader has is read.
func (f *follower) all(ctx context.Context) ([]verdict.Chronicle, error) {
	var cause error
	err := Eventually(ctx, Settle, "the journal is read to its end", func() bool {
		end, err := f.last(ctx)
		if cause = err; err != nil {
			return false
		}
		if from, _ := f.behind(); from > end {
			return true
		}
		cause = f.fill(ctx)
		from, _ := f.behind()
		return from > end
	})
	if err != nil {
		return nil, errors.Join(err, cause)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var told []verdict.Chronicle
	for _, one := range f.lives {
		told = append(told, one.tell())
	}
	return told, nil
}

// Settled reports whether every ask in the journal is settled and told.
func (o *observer) Settled(ctx context.Context) bool {
	all, err := o.Journal.all(ctx)
	if err != nil {
		return false
	}
	for _, a := range verdict.Fold(all[len(all)-1]).Asks {
		if !a.Replies {
			return false
		}
	}
	return true
}

// tell decodes the kept messages in order.
func (l *life) tell() (c verdict.Chronicle) {
	c.Missed = l.missed
	for _, position := range slices.Sorted(maps.Keys(l.messages)) {
		b, err := verdict.OpenBatch(l.messages[position])
		if err != nil {
			c.Corrupt = append(c.Corrupt, fmt.Sprintf("%d of %s: %v", position, b.Member, err))
			continue
		}
		c.Batches = append(c.Batches, b)
	}
	return c
}
