// Which lines a result has for a person.

package ask

import (
	"testing"
	"time"

	"protocolq/messages"
)

// TestAskAgainLine: nobody is asked to ask again where the words beside it say not to.
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
