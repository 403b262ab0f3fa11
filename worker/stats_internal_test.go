// The worker's figures: their names, and when the gateway counts as unavailable: no call has been
// answered for a while, whatever was asked.

package worker

import (
	"encoding/json"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/outbox"
)

// Scripts read STATS: every name in it is in lower case.
func TestStatsNames(t *testing.T) {
	data, err := json.Marshal(Stats{Outbox: outbox.Stats{Sinks: []outbox.SinkStats{{}}}})
	if err != nil {
		t.Fatal(err)
	}
	if odd := regexp.MustCompile(`"[^"]*[A-Z][^"]*":`).FindAll(data, -1); len(odd) > 0 {
		t.Errorf("%q", odd)
	}
}

func TestGatewayAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounters()
		first := time.Now()
		for i, step := range []struct {
			code string
			away bool
		}{
			{"", false}, {"GATEWAY_TIMEOUT", true}, {"SYSTEM_ERROR", true}, {"NO_SIGN_CUSTOMER", false},
			{"GATEWAY_HTTP_503", true}, {"SOMETHING_NEW", false}, {"ILLEGAL_SIGN", false},
		} {
			time.Sleep(time.Second)
			c.call("2088000000000001", step.code, time.Millisecond)
			since, code := c.away()
			if since.IsZero() == step.away || step.away && code != step.code {
				t.Errorf("after %d calls, the last %q: away since %v with %q", i+1, step.code, since, code)
			}
			if i == 2 && !since.Equal(first.Add(2*time.Second)) {
				t.Errorf("away since %v, want the first call without an answer", since.Sub(first))
			}
		}
	})
}
