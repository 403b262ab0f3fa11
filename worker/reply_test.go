// Replies that at first have no receiver.

package worker_test

import (
	"testing"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// After a server's restart the workers may be back before an asker listens again: its reply is sent
// again for some seconds, and only then acknowledged.
func TestReplyIsSentAgainToWhoComesBack(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	w := f.start()
	body, err := messages.Query{ID: "back", UserEmail: "signed@example.com"}.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.nc.PublishRequest(f.names.Query(), "_INBOX.comes.back", body); err != nil {
		t.Fatal(err)
	}
	within(t, "the first reply is out", func() bool { return w.Stats().Outcomes["signed"] == 1 })
	inbox, err := f.nc.SubscribeSync("_INBOX.comes.back")
	if err != nil {
		t.Fatal(err)
	}
	m, err := inbox.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if r, _, err := messages.DecodeResult(m.Data, ""); err != nil || r.ID != "back" || r.Outcome != messages.Signed {
		t.Errorf("%+v %v", r, err)
	}
	f.wantCalls(1)
	f.wantRest()
}
