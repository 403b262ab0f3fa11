// A message that cannot even become a dead letter blocks no other.

package worker_test

import (
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// Messages without a sender to reply to, and without room for their dead letters, delay no reply.
func TestDeadLettersFull(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	f.bound(messages.Dead, 1)
	for range 50 {
		if err := f.nc.Publish(f.names.Query(), []byte("garbage")); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	if r := f.ask(messages.Query{UserEmail: "signed@example.com"}); r.Outcome != messages.Signed || time.Since(begun) > 3*time.Second {
		t.Errorf("told %s after %v", refusal(r), time.Since(begun))
	}
}
