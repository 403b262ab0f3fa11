// The case that led to these checks: two answers in one segment, every account signed.

package gateway_test

import (
	"io"
	"net"
	"testing"
)

// TestExtraAnswer lets the server write a second answer after each, in the same segment. It must
// never become the answer to another question: with net/http's transport 63 of 3,840 calls became
// not_signed.
func TestExtraAnswer(t *testing.T) {
	t.Parallel()
	c := strayClient(t, func(conn net.Conn, next func() error) {
		for next() == nil {
			_, _ = io.WriteString(conn, rightAnswer+strayAnswer)
		}
	}, false, nil)
	if n := askMany(t, c, 64*60).notSigned.Load(); n > 0 {
		t.Errorf("%d false not_signed", n)
	}
}
