// Masks in texts from outside.

package messages_test

import (
	"testing"

	"protocolq/messages"
)

func TestMaskText(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"refund-R-1001":               "refund-R-1001",
		"refund-alice@mail.example.1": "r***@m***",
		"ask alice@mail.example, bob": "ask a***@m***.example, bob",
	} {
		if got := messages.MaskText(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
