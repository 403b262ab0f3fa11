// Lines of a kind unknown to this recorder.

package querylog_test

import (
	"testing"

	"protocolq/worker/querylog"
)

// A message of an unknown kind is left to recorders of a later version, for minutes.
func TestRecorderLeavesOtherKinds(t *testing.T) {
	d, m := newDesk(t), &memory{}
	runs, _ := d.lines(2)
	d.publish("protocol.log.else", []byte("x"))
	d.publish("protocol.log.canary@example.com", runs[0])
	d.publish(d.names.LogRun(), runs[1])
	r, stop := d.start(querylog.Options{Database: m})
	eventually(t, "the line is written", func() bool { return len(m.ids()) == 1 })
	stop()
	if s := r.Stats(); s.Rejected != 0 {
		t.Errorf("%+v", s)
	}
}
