//go:build unix

// A redriven query through real workers: one more reply, and no second call.

package dead

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// Two equal queries that became dead letters are each answered once more, on the same durable
// subject. One call answers both.
func TestRedriveIsAnsweredOnceMore(t *testing.T) {
	cfg := &settings.Config{}
	settings.Practice(cfg)
	stack, err := localstack.Open(t.Context(), localstack.Options{Config: cfg, Workers: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	}()
	h := connectDeadServer(t, stack.URLs()["nats"])
	q := messages.Query{ID: "mine", UserEmail: "signed@example.com", ReplyTo: "protocol.reply.me", DeadlineMs: 1_700_000_000_000}
	const asks = 2
	for range asks {
		r, err := h.nc.Request("protocol.query", queryBytes(t, q), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if a, _, err := messages.DecodeResult(r.Data, ""); err != nil || a.Outcome != messages.Accepted {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	clitest.Eventually(t, "letters, and replies that it is too late", func() bool {
		return len(h.messages("PROTOCOL_DEAD")) == asks && len(h.messages("PROTOCOL_REPLIES")) == asks
	})
	if code, out, told := h.dead("redrive", "--all-matching", "--drop-deadline", "--yes"); code != cli.ExitOK {
		t.Fatalf("exit %d, %s%s", code, out, told)
	}
	clitest.Eventually(t, "one more reply each", func() bool { return len(h.messages("PROTOCOL_REPLIES")) == 2*asks })
	first := map[string]bool{} // message ids of the earlier replies
	for i, m := range h.messages("PROTOCOL_REPLIES") {
		r, _, err := messages.DecodeResult(m.Data, "")
		token, want := m.Header.Get(messages.HeaderMsgID), messages.Unknown
		if i >= asks {
			want = messages.Signed
			base, redriven := strings.CutSuffix(token, "/r1")
			if !redriven || !first[base] {
				t.Errorf("the redriven reply has the message id %q, those before %v", token, first)
			}
		}
		first[token] = true
		if err != nil || r.ID != "mine" || r.Outcome != want {
			t.Errorf("reply %d: %+v, %v", i, r, err)
		}
	}
	if n := len(stack.Sim.Calls()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}
