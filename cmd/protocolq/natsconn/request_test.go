// The exit codes where no answer comes.

package natsconn

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
)

func TestNoAnswerExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{NoAnswer(nats.ErrNoResponders, "s", time.Second), cli.ExitNoAnswer},
		{NoAnswer(nats.ErrTimeout, "s", time.Second), cli.ExitNoAnswer},
		{noServer(nats.ErrNoServers), cli.ExitNoAnswer},
	} {
		end, ok := errors.AsType[*cli.Error](test.err)
		if !ok || end.Code != test.want || end.Hint == "" {
			t.Errorf("%v: want code %d and a hint", test.err, test.want)
		}
	}
}
