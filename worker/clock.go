// The server's clock, as far as this process knows it.

package worker

import (
	"sync/atomic"
	"time"
)

// clock tells the NATS server's time, which stamps the messages of streams. After the last sample
// it runs on this process's monotonic clock, so that a jump of the local wall clock does not change
// it.
type clock struct {
	last atomic.Pointer[sample] // written by the member as it reads the log, read by all goroutines
}

type sample struct{ server, local time.Time }

// set takes a sample: when this process's clock showed local, the server's clock showed server.
func (c *clock) set(server, local time.Time) {
	c.last.Store(&sample{server: server.Round(0), local: local})
}

// Now is the server's time, or the local time before the first sample.
func (c *clock) Now() time.Time {
	s := c.last.Load()
	if s == nil {
		return time.Now()
	}
	return s.server.Add(time.Since(s.local))
}
