// Batches: requests of many askers in one message of the stream, for not much more than one of them
// costs.

package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// batched are the fields of a request in the order of a batch: of an envelope those that the front
// door stores with an ask, the id and the partner where the message names none.
func batched(e *messages.Envelope) [6]*string {
	return [...]*string{&e.Token, &e.ReplyTo, &e.Subject, &e.ID, &e.Partner, &e.Trace}
}

// Bounds of a batch: all of it is delivered again when one of its asks could not be answered, and
// another worker is to have its share.
const (
	mostTogether    = 64
	mostTogetherB   = 32 << 10 // bytes of their messages after which no more is added
	mostAmongOthers = 8 << 10  // bytes of a message that may be among others
	batchFormat     = 1        // the first byte
)

// encodeBatch is the form of a batch: the format, then of each request its fields and its
// message, each after its length.
func encodeBatch(list []*storing) []byte {
	size := 1
	for _, s := range list {
		size += len(s.Body) + 256
	}
	b := append(make([]byte, 0, size), batchFormat)
	for _, s := range list {
		for _, v := range batched(&s.Envelope) {
			b = append(binary.AppendUvarint(b, uint64(len(*v))), *v...)
		}
		b = append(binary.AppendUvarint(b, uint64(len(s.Body))), s.Body...)
	}
	return b
}

var errFormat = errors.New("read batch: its format is")

// decodeBatch reads a batch. Only the front doors of the fleet write them, so this guards against
// accidents.
func decodeBatch(b []byte) ([]messages.Envelope, error) {
	if len(b) > 0 && b[0] != batchFormat {
		return nil, fmt.Errorf("%w %d", errFormat, b[0])
	}
	if len(b) < 2 {
		return nil, errors.New("read batch: there is no request in it")
	}
	var list []messages.Envelope
	for b = b[1:]; len(b) > 0; {
		if len(list) == mostTogether {
			return nil, fmt.Errorf("read batch: more than %d requests", mostTogether)
		}
		var r messages.Envelope
		var parts [7][]byte
		for i := range parts {
			n, width := binary.Uvarint(b)
			if width <= 0 || n > uint64(len(b)-width) {
				return nil, errors.New("read batch: it ends in the middle")
			}
			parts[i], b = b[width:width+int(n)], b[width+int(n):]
		}
		for i, v := range batched(&r) {
			*v = string(parts[i])
		}
		r.Body = slices.Clip(parts[6])
		list = append(list, r)
	}
	return list, nil
}

// batch is a message of many requests while they are in the house. It is acknowledged when the last
// of them is done with: answered, or stored again, alone. That happens to one that is given back,
// and to one that is long in coming to its answer: should this worker die, those that had theirs
// are not to be delivered again with it.
type batch struct {
	w     *Worker
	msg   jetstream.Msg
	begun time.Time
	told  atomic.Int64 // when the server was last told that it is being worked on, nanoseconds after begun
	n     int32        // requests in it
	left  atomic.Int32 // of them not done with
	back  atomic.Bool  // given back as a whole
}

// part is one request of a batch.
type part struct {
	*batch
	request *messages.Envelope
	stored  time.Time
	moved   atomic.Bool // on its way into the stream once more
	settled atomic.Bool // counted off
}

// A batch that is older than longTogether when it is looked at, each third of an AckWait, loses
// what is left of it if that is the lastOf-th part of it or less. More of it would be work for a
// house that has enough.
const (
	longTogether = time.Second
	lastOf       = 8
)

func (p *part) Data() []byte { return p.request.Body }

func (p *part) Ack() error {
	if p.settled.Swap(true) || p.left.Add(-1) > 0 {
		return nil
	}
	p.w.taken.hold(-len(p.msg.Data()))
	if p.back.Load() {
		return nil
	}
	return p.msg.Ack()
}

// NakWithDelay stores the request again after delay, unless it is already.
func (p *part) NakWithDelay(delay time.Duration) error {
	if p.moved.Swap(true) {
		return nil
	}
	p.w.replier.left.Add(1) // a worker that ends waits for it
	if delay == 0 {
		p.storeAgain()
	} else {
		time.AfterFunc(delay, p.storeAgain)
	}
	return nil
}

func (p *part) storeAgain() {
	stored := *p.request
	stored.MsgID, stored.StoredMs = stored.Token+"/b", p.stored.UnixMilli()
	m := &nats.Msg{Subject: p.w.o.Names.Request(stored.Token), Data: stored.Body, Header: stored.Header()}
	done := func(_ uint64, err error) {
		if err != nil && !p.back.Swap(true) {
			_ = p.msg.NakWithDelay(jittered(time.Second))
		}
		_ = p.Ack()
		p.w.replier.left.Done()
	}
	if err := p.w.to.Go(m, publishTimeout, done); err != nil {
		done(0, err)
	}
}

// InProgress is said once for all parts. The last ones of an old batch go their own way: they are
// answered by whoever is handed them then, see Worker.answer.
func (p *part) InProgress() error {
	now := time.Since(p.begun)
	switch before := time.Duration(p.told.Load()); {
	case p.moved.Load() || p.back.Load() || p.settled.Load():
		return nil
	case now > longTogether && p.left.Load()*lastOf <= p.n:
		return p.NakWithDelay(0)
	case now-before < 100*time.Millisecond || !p.told.CompareAndSwap(int64(before), int64(now)):
		return nil
	}
	return p.msg.InProgress()
}

// takeBatch takes in the requests of one message. One of a newer program is left for a worker that
// knows it.
func (w *Worker) takeBatch(msg jetstream.Msg) {
	list, err := decodeBatch(msg.Data())
	meta, bad := msg.Metadata()
	switch err = errors.Join(err, bad); {
	case errors.Is(err, errFormat):
		w.log.Error("batch not understood: left to another worker", "err", err, "hint", "update this worker")
		_ = msg.NakWithDelay(jittered(time.Second))
		return
	case err != nil:
		w.log.Error("batch not understood", "err", err)
		in := w.arrived(messages.Envelope{Subject: msg.Subject(), Body: msg.Data()}, nil)
		in.msg = msg
		w.refuse(in, messages.MsgPack,
			&messages.Error{Code: messages.BadRequest, Reason: "is no batch of requests"})
		return
	}
	b := &batch{w: w, msg: msg, begun: time.Now(), n: int32(len(list))}
	b.left.Store(b.n)
	w.taken.hold(len(msg.Data())) // all of it stays until the last is done with
	for i := range list {
		w.admitted(w.arrival(w.arrived(list[i], nil), &part{batch: b, request: &list[i], stored: meta.Timestamp}, meta))
	}
}
