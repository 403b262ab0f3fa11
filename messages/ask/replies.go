// Replies: the durable replies of an asker, each kept until its program has finished it.

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
	Subject    string    // protocol.reply.<asker>, or below it: the query's reply_to
	Trace      string    // the query's traceparent
	Stored     time.Time // since when it waits to be read
	Deliveries int       // 1 the first time; an unacknowledged reply comes again
}

// Replies reads the replies of one asker with the default Options: see [Client.Replies].
func Replies(ctx context.Context, nc *nats.Conn, asker string, each func(context.Context, Reply) error) error {
	c, err := New(nc, Options{})
	if err != nil {
		return err
	}
	return c.Replies(ctx, ReadOptions{Name: asker}, each)
}

// Replies passes each durable reply of an asker to each, until ctx ends; then it waits until each
// has returned, and returns nil. The replies are to queries submitted with Options.Asker, or with a
// reply_to below protocol.reply.<asker>, including replies that came while the program was not
// running.
//
// A reply is acknowledged once each has returned nil, and until then kept, for a week at most. An
// error means that the program has not finished it: each gets it again after a wait that grows from
// Options.Pause to a minute, or after the wait of [After]. Other replies come meanwhile, if there
// are fewer than 1,000 such replies. So set ReadOptions.Rejected, which gets replies that cannot be
// decoded or that each never finishes.
//
// One Client passes no answer (of one id and run) twice to one asker, among the last 100,000. Nor
// does another process, once the answer's acknowledgement is stored. If a process ends before that,
// the reply comes again. If a query is submitted twice, two processes may get two replies: so use
// Run as the key of what is done next. Unknown is not an answer: it comes once for each time it was
// asked, and an answer may follow it under the same run. If a reply's Question is not the one that
// was asked, it is not the answer to it, see [messages.Result.Answers].
//
// The asker's consumer must exist (protocolq provision --asker NAME), or the error wraps
// [ErrNoConsumer] and says so. While NATS is unavailable, Replies waits. JetStream sends messages
// to the connection's own inboxes: if permissions give the asker its own inbox prefix, connect with
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
	case id != "": // a refusal has no run; an unknown may name the present run, and an answer may follow it
		return r, identityOf("message", id), nil
	}
	return r, identityOf("sequence", strconv.FormatUint(meta.Sequence.Stream, 10)), nil
}
