// Submit: ask and go, once the stream keeps the question.

package ask

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Ack says where a submitted query is kept.
type Ack struct {
	ID        string // the query's, given or made
	Stream    string
	Sequence  uint64
	Duplicate bool // an earlier try had stored it, less than the stream's window ago
}

// Refusals of a stream that pass: unavailable is the code of those such as a full one's;
// beingStored is that of a message id that a cluster has got and not yet stored on most of its
// servers, as when the first try was sent while its leaders changed.
const (
	unavailable = 503
	beingStored = jetstream.ErrorCode(10158)
)

// mostStored is how often in a row a message may be called in process. A server that lost it while
// leaders changed may say so without end (seen 129 times); then it is sent under another id: at
// worst there are two replies, and still one call.
const mostStored = 20

// Submit submits with the default Options.
func Submit(ctx context.Context, nc *nats.Conn, q messages.Query) (Ack, error) {
	c, err := New(nc, Options{})
	if err != nil {
		return Ack{}, err
	}
	return c.Submit(ctx, q)
}

// Submit stores q and returns the stream's acknowledgement: from then on it is answered, on
// q.ReplyTo. With Options.Asker it needs to name nothing: the reply goes to protocol.reply.<asker>,
// where [Client.Replies] reads it. With a partner as well, it can name only that subject and those
// below it. Without either no reply is sent, but a run has its event. The end of ctx does not end
// the question: it waits for as long as q.DeadlineMs says. However often it has to be sent, it is
// one question (but see mostStored): its message id is new and cannot be guessed, because a message
// that another program stored under it first would keep it out.
//
// Without an acknowledgement it is sent again until ctx ends, also while no stream is there or the
// stream has no room (but for Options.FailFast). An error then does not say that q is not stored:
// to be sure, submit it again with the same id. The error wraps the end of ctx and what was in the
// way last (nats.ErrNoResponders: no stream takes the subject; a *jetstream.APIError), or else what
// Options.FailFast says, a *messages.Error for a query that no worker would take, ErrMalformed,
// nats.ErrConnectionClosed, or the *jetstream.APIError of a refusal for good.
func (c *Client) Submit(ctx context.Context, q messages.Query) (Ack, error) {
	q = identified(q)
	subject := c.names.Submit()
	switch {
	case q.Partner != "":
		subject = c.names.SubmitOf(q.Partner, c.o.Asker)
	case q.ReplyTo == "" && c.o.Asker != "": // the subject does not say whose it is
		q.ReplyTo = c.names.ReplyOf(c.o.Asker)
	}
	if err := c.checkSubmitted(q, subject); err != nil {
		return Ack{}, fmt.Errorf("submit: %w", err)
	}
	m, err := c.message(ctx, subject, q)
	if err != nil {
		return Ack{}, fmt.Errorf("submit: %w", err)
	}
	id := rand.Text()
	m.Header[messages.HeaderMsgID] = []string{id}
	var a jetstream.PubAck
	stored := 0
	err = c.until(ctx, m, func(reply *nats.Msg) heard {
		var h heard
		a, h = c.acknowledged(reply)
		if word, ok := errors.AsType[*jetstream.APIError](h.err); !ok || word.ErrorCode != beingStored {
			stored = 0
		} else if stored++; stored == mostStored {
			m.Header[messages.HeaderMsgID] = []string{id + "/again"}
		}
		return h
	})
	if err != nil {
		return Ack{}, fmt.Errorf("submit to %s: %w", subject, err)
	}
	return Ack{ID: q.ID, Stream: a.Stream, Sequence: a.Sequence, Duplicate: a.Duplicate}, nil
}

// checkSubmitted finds what every worker would refuse.
func (c *Client) checkSubmitted(q messages.Query, subject string) error {
	if err := c.names.CheckSubmitted(q); err != nil || q.ReplyTo == "" {
		return err
	}
	return c.names.CheckReplyOf(c.names.AskerOf(subject), q.ReplyTo)
}

// acknowledged reads a stream's answer.
func (c *Client) acknowledged(reply *nats.Msg) (jetstream.PubAck, heard) {
	var word struct {
		Error *jetstream.APIError `json:"error"`
		jetstream.PubAck
	}
	err := json.Unmarshal(reply.Data, &word)
	switch {
	case err != nil:
		return word.PubAck, heard{err: fmt.Errorf("%w: %w", ErrMalformed, err)}
	case word.Error != nil && (word.Error.Code == unavailable && !c.o.FailFast || word.Error.ErrorCode == beingStored):
		return word.PubAck, heard{again: jittered(c.o.Pause), err: word.Error}
	case word.Error != nil:
		return word.PubAck, heard{err: word.Error}
	case word.Stream == "":
		return word.PubAck, heard{err: fmt.Errorf("%w: it names no stream", ErrMalformed)}
	}
	return word.PubAck, heard{}
}
