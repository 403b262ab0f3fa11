// How long the gateway asks to wait, in the error of Ask.

package gateway_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"protocolq/gateway"
)

// status is a network on which every call ends with the same status and headers.
type status struct {
	code   int
	header http.Header
}

func (s status) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: s.code, Header: s.header, Body: http.NoBody}, nil
}

func TestRetryAfterIsInTheError(t *testing.T) {
	for _, c := range []struct {
		status int
		most   time.Duration
		want   time.Duration
	}{
		{429, 0, 2 * time.Minute}, {503, 0, 2 * time.Minute},
		{429, time.Minute, time.Minute}, {503, time.Hour, 2 * time.Minute},
		{500, 0, 0}, {502, 0, 0}, {504, 0, 0}, {403, 0, 0}, {202, 0, 0}, {301, 0, 0}, {200, 0, 0},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.most), func(t *testing.T) {
			network := status{c.status, http.Header{"Retry-After": {"120"}}}
			client := newClient(t, func(o *gateway.Options) { o.RoundTripper, o.RetryAfterMax = network, c.most })
			_, _, err := client.Ask(t.Context(), email("signed"), nil)
			var e *gateway.Error
			if !errors.As(err, &e) || e.RetryAfter != c.want {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if c.want > 0 && !strings.Contains(err.Error(), c.want.String()) {
				t.Errorf("%v does not say for how long", err)
			}
		})
	}
}

// The default ceiling, and the practice gateway's header over a real socket.
func TestRetryAfterOfThePracticeGateway(t *testing.T) {
	for part, want := range map[string]time.Duration{
		"fault-429-after": 2 * time.Second, "fault-503-after-90s": 90 * time.Second, "fault-429-date": 2 * time.Second,
		"fault-503-date-90s": 90 * time.Second, "fault-503-date-24h": 5 * time.Minute, "fault-429-after-24h": 5 * time.Minute,
		"fault-429": 0, "fault-503": 0,
	} {
		t.Run(part, func(t *testing.T) {
			s := newSimulator(t, nil)
			c := newClient(t, func(o *gateway.Options) { o.URL, o.UnsafeHost = serve(t, s), true })
			_, _, err := c.Ask(t.Context(), email(part), nil)
			var e *gateway.Error
			if !errors.As(err, &e) || e.RetryAfter != want {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}
