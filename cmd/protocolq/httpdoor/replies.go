// The durable replies of the door's askers, moved to where their callers look for them.

package httpdoor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// replies stores the replies to one asker. It stores every reply, even a second one with the same
// id and run, which ask.Replies would drop: a caller that has asked again looks for an answer since
// then.
type replies struct {
	asker  string
	memory memory
	log    *slog.Logger
}

// Waits and bounds of reading.
const (
	againWait      = 2 * time.Second // before a reply that could not be kept comes again
	foreignWait    = time.Minute     // the same of one that is not understood: a later door may
	repliesAtOnce  = 32
	webhooksAtOnce = 8
)

// take keeps one reply, and acknowledges it after that.
func (r *replies) take(ctx context.Context, m jetstream.Msg) {
	name, data, err := kept(m.Data(), m.Headers().Get(messages.HeaderContentType))
	if err != nil {
		r.log.Error("reply not understood: it stays; is a later version of this program needed?", "asker", r.asker,
			"err", err)
		_ = m.NakWithDelay(foreignWait) // or it comes again by itself
		return
	}
	if err := r.memory.Put(ctx, r.asker, messages.HTTPAnswer, name, data,
		m.Headers().Get(messages.HeaderMsgID)); err != nil {
		r.log.Warn("reply not kept, it comes again", "asker", r.asker, "err", err)
		_ = m.NakWithDelay(againWait)
		return
	}
	_ = m.Ack() // if it is lost, the reply is stored once more
}

// kept is the stored form of a reply: its name, and its Result in JSON.
func kept(reply []byte, contentType string) (name string, data []byte, err error) {
	r, _, err := messages.DecodeResult(reply, contentType)
	if err != nil {
		return "", nil, err
	}
	if r.ID == "" {
		return "", nil, errors.New("it has no id")
	}
	data, err = r.Encode(messages.JSON)
	return nameOf(r.ID), data, err
}
