// What askers learn of a halt that keeps them from an answer.

package partner_test

import (
	"strings"
	"testing"

	"protocolq/worker/partner"
)

func TestHaltWords(t *testing.T) {
	const at = 1795424398123
	for _, c := range []struct {
		halt partner.Halt
		want string
	}{
		{partner.Halt{SinceMs: at, By: "W1"}, ""},
		{partner.Halt{Halted: true, By: partner.ByOperator}, "halted by operator"},
		{partner.Halt{Halted: true, SinceMs: at, By: partner.ByOperator, Who: "ann@ops1", Reason: "the key is changed"},
			"halted by operator ann@ops1 at 2026-11-23T08:59:58Z: the key is changed"},
		{partner.Halt{Halted: true, SinceMs: at, By: "W1", Code: "ILLEGAL_SIGN", Reason: "5 faults"},
			"halted by worker W1 at 2026-11-23T08:59:58Z, ILLEGAL_SIGN: 5 faults"},
		{partner.Halt{Halted: true, By: "W1", Reason: strings.Repeat("x", 199) + "因为"}, "halted by worker W1: " + strings.Repeat("x", 199)},
	} {
		if got := c.halt.Words(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.halt, got, c.want)
		}
	}
}
