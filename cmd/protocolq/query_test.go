// The exit codes of not being answered.
package main

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestNoAnswerExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{noAnswer(nats.ErrNoResponders, "s", time.Second), exitNoAnswer},
		{noAnswer(nats.ErrTimeout, "s", time.Second), exitNoAnswer},
		{noServer(nats.ErrNoServers), exitNoAnswer},
	} {
		end, ok := errors.AsType[*exitError](test.err)
		if !ok || end.Code != test.want || end.Hint == "" {
			t.Errorf("%v: want code %d and a hint", test.err, test.want)
		}
	}
}
