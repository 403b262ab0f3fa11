// What happens beside a write.

package querylog_test

import (
	"sync"
	"testing"
	"time"

	"protocolq/worker/querylog"
)

// Lines are read on while a batch is written, and are the next batch. The batch is written before
// the recorder ends.
func TestRecorderReadsBesideAWrite(t *testing.T) {
	d, m := newDesk(t), &memory{}
	runs, _ := d.lines(301)
	writing, hold := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() {
		close(writing)
		<-hold
	})
	m.fail = func(querylog.Batch) error { first(); return nil }
	_, stop := d.start(querylog.Options{Database: m, Linger: time.Millisecond, Pace: time.Millisecond, Quiet: time.Hour})
	d.publish(d.names.LogRun(), runs[0])
	select {
	case <-writing:
	case <-time.After(30 * time.Second):
		t.Fatal("not written")
	}
	for _, run := range runs[1:] {
		d.publish(d.names.LogRun(), run)
	}
	eventually(t, "all are fetched", func() bool { return d.pending() == 0 })
	close(hold)
	stop()
	if n := len(m.ids()); n != 301 {
		t.Errorf("%d rows, want 301", n)
	}
}
