// The lines that dev prints to be pasted into a shell.

package demo

import (
	"strings"
	"testing"

	"protocolq/cmd/protocolq/settings"
)

func TestExports(t *testing.T) {
	got := exports(&settings.Config{NATS: []string{"nats://127.0.0.1:4222"}, Database: "sqlite:///a b/log.db", LogHMACKeyFile: "/a b/log-hmac.key"})
	for _, line := range []string{"  export PROTOCOLQ_DATABASE='sqlite:///a b/log.db'\n", "  export PROTOCOLQ_LOG_HMAC_KEY_FILE='/a b/log-hmac.key'\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
	if strings.Contains(got, "PROTOCOLQ_NATS") {
		t.Error("the address at which all look is said")
	}
	if got := exports(&settings.Config{NATS: []string{"nats://127.0.0.1:5222"}}); !strings.Contains(got, "  export PROTOCOLQ_NATS=nats://127.0.0.1:5222\n") {
		t.Errorf("another address is not said:\n%s", got)
	}
}
