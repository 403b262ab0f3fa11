// Refusals: which of the server's words end a member, and which pass.

package journal_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/journal"
	"protocolq/worker/natstest"
)

// refuser is a publisher that has one answer.
type refuser struct{ err error }

func (r refuser) Publish(context.Context, *nats.Msg) (uint64, error) { return 0, r.err }

func TestRefusals(t *testing.T) {
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{}))
	kinds := []error{journal.ErrRefused, journal.ErrFull, journal.ErrPermanent}
	for name, c := range map[string]struct {
		err  error
		kind error // nil: it is open whether it was stored, and tried again
	}{
		"another batch came":          {&jetstream.APIError{Code: 400, ErrorCode: 10071}, journal.ErrRefused},
		"one is under way":            {&jetstream.APIError{Code: 400, ErrorCode: 10164}, journal.ErrRefused},
		"the stream is full":          {&jetstream.APIError{Code: 503, ErrorCode: 10077}, journal.ErrFull},
		"the account is full":         {&jetstream.APIError{Code: 400, ErrorCode: 10002}, journal.ErrFull},
		"too long":                    {&jetstream.APIError{Code: 400, ErrorCode: 10054}, journal.ErrPermanent},
		"too long for the client":     {nats.ErrMaxPayload, journal.ErrPermanent},
		"the stream is sealed":        {&jetstream.APIError{Code: 400, ErrorCode: 10109}, journal.ErrPermanent},
		"the server has too much":     {&jetstream.APIError{Code: 429, ErrorCode: 10167}, nil},
		"a server without a leader":   {&jetstream.APIError{Code: 503, ErrorCode: 10008}, nil},
		"no acknowledgement":          {context.DeadlineExceeded, nil},
		"nobody has such a stream":    {jetstream.ErrNoStreamResponse, nil},
		"the connection is not there": {nats.ErrReconnectBufExceeded, nil},
	} {
		l := journal.NewJetStream(journal.JetStreamOptions{Conn: nc, Publisher: refuser{c.err}, Stream: "J", Journal: "j.", Followed: "f."})
		_, err := l.Append(t.Context(), journal.Append{Member: "m"})
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		for _, k := range kinds {
			if errors.Is(err, k) != errors.Is(c.kind, k) {
				t.Errorf("%s: %v, want %v", name, err, c.kind)
			}
		}
	}
}
