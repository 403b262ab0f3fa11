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

// take keeps one reply, and acknowledges it after that. A reply to another question than the one
// that was asked under its id is dropped: others may be able to write among an asker's replies.
func (r *replies) take(ctx context.Context, m jetstream.Msg) {
	result, data, err := kept(m.Data(), m.Headers().Get(messages.HeaderContentType))
	if err != nil {
		r.log.Error("reply not understood: it stays; is a later version of this program needed?", "asker", r.asker,
			"err", err)
		_ = m.NakWithDelay(foreignWait) // or it comes again by itself
		return
	}
	name, id := nameOf(result.ID), m.Headers().Get(messages.HeaderMsgID)
	asked, err := r.memory.Last(ctx, r.asker, messages.HTTPAsked, name)
	same := true
	if err == nil {
		same, err = sameQuestion(asked, result.Question)
	}
	if err == nil && same {
		err = r.memory.Put(ctx, r.asker, messages.HTTPAnswer, name, data, id)
	}
	if err != nil {
		r.log.Warn("reply not kept, it comes again", "asker", r.asker, "err", err)
		_ = m.NakWithDelay(againWait)
		return
	}
	if !same {
		r.log.Error("reply to what was not asked: dropped", "asker", r.asker, "run", result.Run)
	}
	_ = m.Ack() // if it is lost, the reply is stored once more
}

// kept is a reply, and its stored form: its Result in JSON.
func kept(reply []byte, contentType string) (r messages.Result, data []byte, err error) {
	if r, _, err = messages.DecodeResult(reply, contentType); err != nil {
		return r, nil, err
	}
	if r.ID == "" {
		return r, nil, errors.New("it has no id")
	}
	data, err = r.Encode(messages.JSON)
	return r, data, err
}
