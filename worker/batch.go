// Batches: requests of many askers in one message of the stream, for not much more than one of them costs.

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

// request is what the front door stores of an ask: the message as it came, and what it does not say itself.
type request struct {
	token   string // the ask token
	replyTo string // "" nowhere
	subject string // it came by; "" the plain one
	id      string // where the message names none
	partner string // where the message names none
	trace   string
	data    []byte
}

// fields are in the order of a batch.
func (r *request) fields() [6]*string {
	return [...]*string{&r.token, &r.replyTo, &r.subject, &r.id, &r.partner, &r.trace}
}

// headers are those of a request that is stored alone. Each costs the server and two workers their time.
func (r *request) headers() nats.Header {
	h := nats.Header{}
	for i, name := range requestHeaders {
		if v := *r.fields()[i]; v != "" {
			h[name] = []string{v}
		}
	}
	return h
}

var requestHeaders = [...]string{messages.HeaderMsgID, messages.HeaderReplyTo, messages.HeaderSubject, messages.HeaderID, messages.HeaderPartner, messages.Traceparent}

// requestOf reads a request that was stored alone.
func requestOf(msg jetstream.Msg) request {
	r := request{data: msg.Data()}
	h := msg.Headers()
	for i, name := range requestHeaders {
		*r.fields()[i] = h.Get(name)
	}
	return r
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
		size += len(s.data) + 256
	}
	b := append(make([]byte, 0, size), batchFormat)
	for _, s := range list {
		for _, v := range s.fields() {
			b = append(binary.AppendUvarint(b, uint64(len(*v))), *v...)
		}
		b = append(binary.AppendUvarint(b, uint64(len(s.data))), s.data...)
	}
	return b
}

// decodeBatch reads a batch. Only the front doors of the fleet write them, so this guards against accidents.
func decodeBatch(b []byte) ([]request, error) {
	if len(b) == 0 || b[0] != batchFormat {
		return nil, errors.New("read batch: another format")
	}
	var list []request
	for b = b[1:]; len(b) > 0; {
		if len(list) == mostTogether {
			return nil, fmt.Errorf("read batch: more than %d requests", mostTogether)
		}
		var r request
		var parts [7][]byte
		for i := range parts {
			n, width := binary.Uvarint(b)
			if width <= 0 || n > uint64(len(b)-width) {
				return nil, errors.New("read batch: it ends in the middle")
			}
			parts[i], b = b[width:width+int(n)], b[width+int(n):]
		}
		for i, v := range r.fields() {
			*v = string(parts[i])
		}
		r.data = slices.Clip(parts[6])
		list = append(list, r)
	}
	return list, nil
}

// batch is a message of many requests while they are in the house. It is acknowledged when the last
// of them is; when one is given back the whole is delivered again at once, to whoever has time, and those
// that were answered are answered from memory, which harms nobody.
type batch struct {
	msg    jetstream.Msg
	left   atomic.Int32
	back   atomic.Bool  // given back
	signed atomic.Int64 // when the server was last told that it is being worked on, unix nanoseconds
}

// part is one request of a batch.
type part struct {
	*batch
	data []byte
}

func (p *part) Data() []byte         { return p.data }
func (p *part) Headers() nats.Header { return nil }

func (p *part) Ack() error {
	if p.left.Add(-1) > 0 || p.back.Load() {
		return nil
	}
	return p.msg.Ack()
}

func (p *part) Nak() error { return p.NakWithDelay(0) }

func (p *part) NakWithDelay(d time.Duration) error {
	if p.back.Swap(true) {
		return nil
	}
	return p.msg.NakWithDelay(d)
}

// InProgress is said once for all parts.
func (p *part) InProgress() error {
	now := time.Now().UnixNano()
	if before := p.signed.Load(); p.back.Load() || now-before < int64(100*time.Millisecond) || !p.signed.CompareAndSwap(before, now) {
		return nil
	}
	return p.msg.InProgress()
}

// takeBatch takes in the requests of one message.
func (w *Worker) takeBatch(msg jetstream.Msg) {
	list, err := decodeBatch(msg.Data())
	meta, bad := msg.Metadata()
	if err = errors.Join(err, bad); err != nil {
		w.log.Error("batch not understood", "err", err)
		w.refuse(&inbound{data: msg.Data(), subject: msg.Subject(), msg: msg, door: messages.DoorQuery}, messages.MsgPack,
			&messages.Error{Code: messages.BadRequest, Reason: "is no batch of requests"})
		return
	}
	b := &batch{msg: msg}
	b.left.Store(int32(len(list)))
	for i := range list {
		w.admitted(w.arriveRequest(&list[i], &part{b, list[i].data}, meta))
	}
}
