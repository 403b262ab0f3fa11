// Client: one question and its answer, by the contestant's door.
package main

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/peerbench/payload"
)

type kind int

const (
	answered kind = iota
	timedOut
	badReply
	otherErr
	kinds = iota
)

func (k kind) String() string {
	return [...]string{"answered", "timed out", "bad reply", "error"}[k]
}

type outcome struct {
	kind kind
	ok   bool
	note string
}

// client asks one question and waits for its answer.
type client struct {
	nc *nats.Conn
	ct contestant
	o  *options

	inbox   string // publish acks come here, and answers with -reply-by header
	results string // answers come here
	seq     atomic.Uint64
	shards  [32]struct {
		sync.Mutex
		m map[uint64]chan *nats.Msg
	}
}

func newClient(nc *nats.Conn, ct contestant, o *options) (*client, error) {
	cl := &client{nc: nc, ct: ct, o: o}
	if ct.ingest == core {
		return cl, nil
	}
	for i := range cl.shards {
		cl.shards[i].m = map[uint64]chan *nats.Msg{}
	}
	cl.inbox = nats.NewInbox() + "."
	cl.results = cl.inbox
	prefixes := []string{cl.inbox}
	if ct.replyBy == byField {
		cl.results = o.replyPrefix + "."
		prefixes = append(prefixes, cl.results)
	}
	for _, p := range prefixes {
		sub, err := nc.Subscribe(p+"*", func(m *nats.Msg) { cl.deliver(m, m.Subject[len(p):]) })
		if err != nil {
			return nil, err
		}
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			return nil, err
		}
	}
	return cl, nc.Flush()
}

// deliver passes an answer, or the failure of the publish, to its caller.
func (cl *client) deliver(m *nats.Msg, number string) {
	if isPubAck(m) {
		return
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return
	}
	s := &cl.shards[n%32]
	s.Lock()
	ch := s.m[n]
	delete(s.m, n)
	s.Unlock()
	if ch != nil {
		ch <- m
	}
}

func isPubAck(m *nats.Msg) bool { return bytes.HasPrefix(m.Data, []byte(`{"stream":`)) }

// notStored returns why a publish was not taken into a stream.
func notStored(m *nats.Msg) string {
	switch {
	case len(m.Data) == 0 && m.Header.Get("Status") == "503":
		return "no stream on the subject"
	case bytes.HasPrefix(m.Data, []byte(`{"error":{`)):
		return string(m.Data)
	}
	return ""
}

func (cl *client) ask(id, email string, timeout time.Duration) outcome {
	reply, out := cl.exchange(id, email, timeout)
	if reply == nil {
		return out
	}
	if code := reply.Header.Get("Nats-Service-Error-Code"); code != "" {
		return outcome{kind: answered, note: code}
	}
	ok, code, err := payload.DecodeReply(reply.Data, id, email)
	if err != nil {
		return outcome{kind: badReply,
			note: err.Error() + ": " + strconv.Quote(string(reply.Data[:min(len(reply.Data), 60)]))}
	}
	return outcome{kind: answered, ok: ok, note: code}
}

// exchange sends the query and returns the answer, or no message and the reason.
func (cl *client) exchange(id, email string, timeout time.Duration) (*nats.Msg, outcome) {
	if cl.ct.ingest == core {
		body, err := payload.EncodeRequest(id, email, "")
		if err != nil {
			return nil, outcome{kind: otherErr, note: err.Error()}
		}
		reply, err := cl.nc.Request(cl.o.subject, body, timeout)
		switch {
		case errors.Is(err, nats.ErrTimeout):
			return nil, outcome{kind: timedOut}
		case err != nil:
			return nil, outcome{kind: otherErr, note: err.Error()}
		}
		return reply, outcome{}
	}
	n := cl.seq.Add(1)
	number := strconv.FormatUint(n, 10)
	m := &nats.Msg{Subject: cl.o.subject, Reply: cl.inbox + number}
	replyTo := ""
	if cl.ct.replyBy == byField {
		m.Subject, replyTo = cl.o.submitSubject, cl.results+number
	} else {
		m.Header = nats.Header{cl.o.replyHeader: {m.Reply}}
	}
	var err error
	if m.Data, err = payload.EncodeRequest(id, email, replyTo); err != nil {
		return nil, outcome{kind: otherErr, note: err.Error()}
	}
	ch := make(chan *nats.Msg, 1)
	s := &cl.shards[n%32]
	s.Lock()
	s.m[n] = ch
	s.Unlock()
	forget := func() {
		s.Lock()
		delete(s.m, n)
		s.Unlock()
	}
	if err := cl.nc.PublishMsg(m); err != nil {
		forget()
		return nil, outcome{kind: otherErr, note: err.Error()}
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case reply := <-ch:
		if why := notStored(reply); why != "" {
			return nil, outcome{kind: otherErr, note: why}
		}
		return reply, outcome{}
	case <-t.C:
		forget()
		return nil, outcome{kind: timedOut}
	}
}
