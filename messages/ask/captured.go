// A stream that captures the workers' subject answers in their place: by its acknowledgement.

package ask

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// ErrCaptured is wrapped by an error that says which stream answered in place of the workers. It
// goes with [ErrMalformed].
var ErrCaptured = errors.New("a stream captures the subject and answers in the workers' place")

// Captured is an error that names the stream whose acknowledgement a reply is, nil where it is
// none.
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
