// Replies: the durable replies of an asker, each until its program is done with it.

package ask

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Reply is one durable reply.
type Reply struct {
	messages.Result
	Subject    string    // protocol.reply.<asker>, or below it: what the query said in reply_to
	Trace      string    // the query's traceparent
	Stored     time.Time // since when it waits to be read
	Deliveries int       // 1 the first time; what nobody acknowledged comes again
}

// Replies reads the replies of one asker with the default Options: see [Client.Replies].
func Replies(ctx context.Context, nc *nats.Conn, asker string, each func(context.Context, Reply) error) error {
	c, err := New(nc, Options{})
	if err != nil {
		return err
	}
	return c.Replies(ctx, ReadOptions{Name: asker}, each)
}

// Replies gives each durable reply of an asker to each, until ctx ends; then it waits until each
// has returned and returns nil. The replies are those to queries that were submitted with
// Options.Asker, or with a reply_to below protocol.reply.<asker>, also those that came while
// the program was not running.
//
// A reply is acknowledged once each has returned nil, and until then kept, for a week at most. An
// error means that the program is not done with it: it is given to each again after a wait that
// grows from Options.Pause to a minute, or after that of [After]. The replies behind it go on, as
// long as there are fewer than 1,000 such replies: give ReadOptions.Rejected, which takes those
// that cannot be decoded or that each is never done with.
//
// No answer, that is no id and run, is given twice by one Client (of the last 100,000), nor by
// another process once its acknowledgement is stored. A process that ends before that is given the
// reply again, and who submits a query twice may be given two replies by two processes: go by Run
// in what is done next. Unknown is no answer: it is given as often as it was asked, and an answer
// may follow it under the same run. A reply whose Question is not the one that was asked is not the
// answer to it, see [messages.Result.Answers].
//
// The asker's consumer must be there (protocolq provision --asker NAME), or the error wraps
// [ErrNoConsumer] and says so. While NATS is away it is waited for. JetStream sends what is read to
// the connection's own inboxes: where permissions give the asker some, connect with
// nats.CustomInboxPrefix.
func (c *Client) Replies(ctx context.Context, o ReadOptions, each func(context.Context, Reply) error) error {
	r := &reading[Reply]{c: c, kind: messages.Replies, flag: "--asker", known: &c.replies, read: readReply, each: each}
	return r.run(ctx, o)
}

func readReply(m jetstream.Msg, meta *jetstream.MsgMetadata) (Reply, identity, error) {
	h := m.Headers()
	result, _, err := messages.DecodeResult(m.Data(), h.Get(messages.HeaderContentType))
	if err != nil {
		return Reply{}, identity{}, err
	}
	r := Reply{Result: result, Subject: m.Subject(), Stored: meta.Timestamp, Deliveries: int(meta.NumDelivered),
		Trace: messages.UsableTrace(h.Get(messages.Traceparent))}
	switch id := h.Get(messages.HeaderMsgID); {
	case r.Run != "" && r.Outcome != messages.Unknown:
		return r, identityOf("run", r.ID, r.Run), nil
	case id != "": // a refusal is of no run; unknown may name the run that is under way, and its answer follow
		return r, identityOf("message", id), nil
	}
	return r, identityOf("sequence", strconv.FormatUint(meta.Sequence.Stream, 10)), nil
}
