// Submit: ask without waiting for the answer, once the stream has the question.

package ask

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Ack says where a submitted query is stored.
type Ack struct {
	ID        string // the query's, given or made
	Stream    string
	Sequence  uint64
	Duplicate bool // an earlier try has stored it, within the stream's window
}

// Temporary refusals of a stream. unavailable is the code of refusals such as a full stream's,
// tooMany that of a server for whose stream too many messages wait. beingStored is for a message id
// that a cluster has received but not yet stored on most of its servers, for example because the
// first try was sent while its leaders changed.
const (
	unavailable = 503
	tooMany     = 429
	beingStored = jetstream.ErrorCode(10158)
)

// mostStored is how many times in a row a server may say that a message is being stored. A server
// that lost the message while leaders changed may say so without end (seen 129 times). Then the
// message is sent under another id: at worst there are two replies, but still one call.
const mostStored = 20

// Submit submits with the default Options.
func Submit(ctx context.Context, nc *nats.Conn, q messages.Query) (Ack, error) {
	c, err := New(nc, Options{})
	if err != nil {
		return Ack{}, err
	}
	return c.Submit(ctx, q)
}

// Submit stores q and returns the stream's acknowledgement. From then on q will be answered, on
// q.ReplyTo. With Options.Asker, q.ReplyTo may be empty: the reply goes to protocol.reply.<asker>,
// where [Client.Replies] reads it. With a partner as well, q may name only that subject and those
// below it. Without Asker and ReplyTo no reply is sent, but a run has its event. The end of ctx
// does not end the question: it waits until q.DeadlineMs. It is one question, however often it is
// sent (but see mostStored). Its message id is new and cannot be guessed: otherwise another program
// could keep it out by storing a message with its id first.
//
// Without an acknowledgement it is sent again until ctx ends, also while no stream exists or the
// stream has no room (unless Options.FailFast is set). After an error, q may still have been
// stored: to be sure, submit it again with the same id. The error wraps the end of ctx and the last
// obstacle (nats.ErrNoResponders: no stream captures the subject; a *jetstream.APIError). Or it
// wraps the errors of Options.FailFast, a *messages.Error for a query that no worker would accept,
// ErrMalformed (with ErrCaptured if a stream of another program has stored q, where no worker reads
// it), nats.ErrConnectionClosed, or the *jetstream.APIError of a permanent refusal.
func (c *Client) Submit(ctx context.Context, q messages.Query) (Ack, error) {
	q = identified(q)
	subject := c.names.Submit()
	switch {
	case q.Partner != "":
		subject = c.names.SubmitOf(q.Partner, c.o.Asker)
	case q.ReplyTo == "" && c.o.Asker != "": // the subject does not name the asker
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

// checkSubmitted finds faults for which every worker would refuse the query.
func (c *Client) checkSubmitted(q messages.Query, subject string) error {
	if err := c.names.CheckSubmitted(q); err != nil || q.ReplyTo == "" {
		return err
	}
	return c.names.CheckReplyOf(c.names.AskerOf(subject), q.ReplyTo)
}

// acknowledged reads a stream's response.
func (c *Client) acknowledged(reply *nats.Msg) (jetstream.PubAck, heard) {
	var word struct {
		Error *jetstream.APIError `json:"error"`
		jetstream.PubAck
	}
	err := json.Unmarshal(reply.Data, &word)
	switch {
	case err != nil:
		return word.PubAck, heard{err: fmt.Errorf("%w: %w", ErrMalformed, err)}
	case word.Error != nil && c.passes(word.Error):
		return word.PubAck, heard{again: jittered(c.o.Pause), err: word.Error}
	case word.Error != nil:
		return word.PubAck, heard{err: word.Error}
	case word.Stream == "":
		return word.PubAck, heard{err: fmt.Errorf("%w: it names no stream", ErrMalformed)}
	case !strings.HasPrefix(word.Stream, c.names.Stream("")): // where no worker reads
		return word.PubAck, heard{err: fmt.Errorf("%w: %w: %q", ErrMalformed, ErrCaptured, word.Stream)}
	}
	return word.PubAck, heard{}
}

// passes reports whether a refusal may be over by the next try.
func (c *Client) passes(refused *jetstream.APIError) bool {
	busy := refused.Code == unavailable || refused.Code == tooMany
	return busy && !c.o.FailFast || refused.ErrorCode == beingStored
}
