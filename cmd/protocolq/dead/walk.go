// Reading dead letters in their order, a page at a time.

package dead

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// walk calls each for each dead letter that f selects, in the order of their sequence, until each
// returns false. It makes no consumer, because a user that may make one chooses where the server
// delivers.
func (b *deadBox) walk(ctx context.Context, f *deadFilter, each func(deadLetter) bool) error {
	for request := f.first(b.names); ; {
		page, err := b.page(ctx, request)
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		for _, stored := range page {
			l := readLetter(b.names, stored)
			if f.ends(&l) || f.selects(&l) && !each(l) {
				return nil
			}
		}
		if len(page) == 0 {
			return nil
		}
		request.Seq, request.StartTime = page[len(page)-1].Seq+1, nil
	}
}

// pageRequest asks for the dead letters from a sequence or a time on.
type pageRequest struct {
	Seq       uint64     `json:"seq,omitempty"`
	StartTime *time.Time `json:"start_time,omitempty"`
	Subject   string     `json:"next_by_subj,omitempty"`
	Batch     int        `json:"batch"`
	MaxBytes  int        `json:"max_bytes"`
}

// A page is at most this.
const (
	pageLetters = 100
	pageBytes   = 4 << 20
)

// first asks for the first dead letters that may be selected.
func (f *deadFilter) first(names messages.Names) pageRequest {
	r := pageRequest{Seq: f.after + 1, Batch: pageLetters, MaxBytes: pageBytes}
	if f.after == 0 && !f.since.IsZero() {
		r.Seq, r.StartTime = 0, &f.since
	}
	if len(f.reasons) == 1 {
		r.Subject = names.Dead(f.reasons[0])
	}
	return r
}

// page reads dead letters; none means that there are no more.
func (b *deadBox) page(ctx context.Context, request pageRequest) (page []storedLetter, err error) {
	step, cancel := context.WithTimeout(ctx, deadStep)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	answer := make(chan *nats.Msg, request.Batch+1) // and its end
	sub, err := b.nc.ChanSubscribe(b.nc.NewInbox(), answer)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := b.nc.PublishRequest(b.api+".DIRECT.GET."+b.names.Stream(messages.Dead), sub.Subject, body); err != nil {
		return nil, err
	}
	for last := uint64(0); ; {
		var m *nats.Msg
		select {
		case m = <-answer:
		case <-step.Done():
			return nil, step.Err()
		}
		switch status := m.Header.Get("Status"); status {
		case "204", "404": // the end of the page, the end of the dead letters
			return page, nil
		case "503":
			return nil, nats.ErrNoResponders
		case "":
		default:
			return nil, fmt.Errorf("status %s %s", status, m.Header.Get("Description"))
		}
		l, err := storedIn(m, last)
		if err != nil {
			return nil, err
		}
		last = l.Seq
		page = append(page, l)
	}
}

// storedIn reads a dead letter of a page that came after the one with the sequence last.
func storedIn(m *nats.Msg, last uint64) (storedLetter, error) {
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return storedLetter{}, fmt.Errorf("sequence of a dead letter: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return storedLetter{}, fmt.Errorf("time of a dead letter: %w", err)
	}
	if m.Header.Get(jetstream.LastSequenceHeader) != strconv.FormatUint(last, 10) {
		return storedLetter{}, fmt.Errorf("a dead letter before %d was lost on the way", seq)
	}
	return storedLetter{Seq: seq, At: at, Subject: m.Header.Get(jetstream.SubjectHeader), Header: m.Header,
		Data: m.Data}, nil
}
