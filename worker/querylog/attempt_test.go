// A call goes into the journal and comes out unchanged.

package querylog_test

import (
	"testing"
	"time"

	"protocolq/worker/querylog"
)

func TestAttemptByItself(t *testing.T) {
	at := time.UnixMilli(1795424398123).UTC()
	for _, want := range []querylog.Attempt{
		{},
		{At: at, Cut: true},
		{At: at, DNS: 1, Connect: 2000, TLS: 3000, FirstByte: 4000, Body: 5000, Total: 6000, Code: "SYSTEM_ERROR", Class: "temp", HTTPStatus: 503, Bytes: 77, Reused: true, ContentType: "text/html"},
	} {
		data := want.Encode()
		got, err := querylog.DecodeAttempt(data)
		want.DNS = want.DNS.Truncate(time.Microsecond) // microseconds are kept
		if err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		for n := range data {
			if _, err := querylog.DecodeAttempt(data[:n]); err == nil {
				t.Errorf("%x: read although it ends early", data[:n])
			}
		}
		if _, err := querylog.DecodeAttempt(append(data, 0)); err == nil {
			t.Errorf("%x: read although more follows", data)
		}
	}
}
