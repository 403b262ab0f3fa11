// No error repeats what came on the connection: it may be the request, at any length.

package gateway_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"protocolq/gateway"
)

func TestErrorsRepeatNothing(t *testing.T) {
	const secret = "alice@mail.example.com"
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, said := range map[string]string{
		"no HTTP":                secret + "\r\n\r\n",
		"another version":        "HTTP/" + secret + " 200 OK\r\n\r\n",
		"no status":              "HTTP/1.1 " + secret + "\r\n\r\n",
		"no header":              "HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n",
		"a length that is none":  "HTTP/1.1 200 OK\r\nContent-Length: " + secret + "\r\n\r\n",
		"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: " + secret + "\r\n\r\n",
		"an encoding of its own": "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + secret + "\r\n\r\n",
		"no chunk":               chunked + secret + "\r\n",
		"no trailer":             chunked + "0\r\n" + secret + "\r\n\r\n",
		"a trailer too much":     chunked + "0\r\nContent-Length: " + secret + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := strayClient(t, func(conn net.Conn, next func() error) {
				if next() == nil {
					_, _ = io.WriteString(conn, said)
				}
			}, false, nil)
			_, _, err := c.Ask(t.Context(), email("alice"), nil)
			var e *gateway.Error
			if !errors.As(err, &e) || e.Code != gateway.CodeCut && e.Code != gateway.CodeUnreadable {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "alice") {
				t.Errorf("it repeats what came: %v", err)
			}
		})
	}
}
