// Only HTTP 200 is an answer, even if the body of another status is read for a person.

package gateway_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"protocolq/gateway"
)

func TestOnly200IsAnAnswer(t *testing.T) {
	for _, status := range []string{"000", "101", "199", "201", "204", "206", "299", "304", "600", "999"} {
		for _, explain := range []bool{false, true} {
			c := strayClient(t, func(conn net.Conn, next func() error) {
				if next() == nil {
					_, _ = io.WriteString(conn, strings.Replace(strayAnswer, "200", status, 1))
				}
			}, false, nil)
			q := email("signed")
			q.Explain = explain
			a, report, err := c.Ask(t.Context(), q, nil)
			if e := (*gateway.Error)(nil); !errors.As(err, &e) || a.Status != "" {
				t.Errorf("%s, explain %v: %q (HTTP %d), %v", status, explain, a.Status, report.HTTPStatus, err)
			}
		}
	}
}

// TestDrippingHeadIsATimeout ends the call's time within a line, which net/http then takes as
// complete.
func TestDrippingHeadIsATimeout(t *testing.T) {
	c := strayClient(t, func(conn net.Conn, next func() error) {
		if next() == nil {
			_, _ = io.WriteString(conn, "HTTP/")
			_ = next()
		}
	}, false, func(o *gateway.Options) { o.Timeout = 150 * time.Millisecond })
	together(64, func() {
		_, _, err := c.Ask(t.Context(), email("signed"), nil)
		if e := (*gateway.Error)(nil); !errors.As(err, &e) || e.Code != gateway.CodeTimeout {
			t.Errorf("got %v", err)
		}
	})
}
