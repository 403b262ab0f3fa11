// A stream that captures the workers' subject responds in their place, by its acknowledgement.

package ask

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// ErrCaptured is wrapped in an error that names the stream which responded in place of the workers,
// together with [ErrMalformed].
var ErrCaptured = errors.New("a stream captures the subject and answers in the workers' place")

// Captured returns an error that names the stream whose acknowledgement a reply is, or nil if it is
// not one.
func Captured(reply *nats.Msg) error {
	var ack struct {
		Stream   string `json:"stream"`
		Sequence uint64 `json:"seq"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil || ack.Stream == "" || ack.Sequence == 0 {
		return nil
	}
	return fmt.Errorf("%w: %q", ErrCaptured, ack.Stream)
}
