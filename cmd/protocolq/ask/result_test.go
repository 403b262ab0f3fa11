// Which lines a result is shown as.

package ask

import (
	"testing"
	"time"

	"protocolq/messages"
)

// TestAskAgainLine: a result that says not to ask again has no line that says when to.
func TestAskAgainLine(t *testing.T) {
	for _, retryable := range []bool{true, false} {
		shown := ""
		for _, line := range resultLines(messages.Result{Outcome: messages.Unknown, RetryAfterMs: 30_000, Retryable: retryable}, time.Now()) {
			if line[0] == "ask again" {
				shown = line[1]
			}
		}
		if (shown == "in 30s") != retryable {
			t.Errorf("retryable %t: ask again %q", retryable, shown)
		}
	}
}
