// Acknowledgements of every form, and other bytes.

package publish

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
)

func FuzzReadAck(f *testing.F) {
	for _, s := range []string{`{"stream":"S","seq":17}`, `{"stream":"S","seq":17,"duplicate":true}`, `{"stream":"S","domain":"d","seq":18446744073709551615}`,
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence"}}`, `{"stream":"","seq":1}`, `{"stream":"S","seq":0}`, `{"stream":"S","seq":1}}`, `{"stream":"a\"b","seq":5}`, ``, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, ok := usual(data)
		if !ok {
			if r := readAck(&nats.Msg{Data: data}); r.err == nil && r.sequence == 0 {
				t.Errorf("%q: neither stored nor an error", data)
			}
			return
		}
		var ack struct {
			Stream   string
			Sequence uint64 `json:"seq"`
		}
		if err := json.Unmarshal(data, &ack); err == nil && (ack.Sequence != n || ack.Stream == "") {
			t.Errorf("%q: read as %d, is %+v", data, n, ack)
		}
	})
}
