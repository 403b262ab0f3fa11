// Sockets to NATS servers: one for each connection.

package natsconn

import (
	"net"
	"sync"
	"time"
)

// dialTimeout is how long a server may take to answer.
const dialTimeout = 5 * time.Second

// dialer dials for one connection, which has one socket at a time. The NATS client forgets the
// socket of a try that fails after the dial, as all tries do while a server cannot serve. That
// socket would stay open until the next garbage collection.
type dialer struct {
	before func() // each dial; may be nil

	mu   sync.Mutex // guards last
	last net.Conn
}

// Dial is the NATS client's custom dialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.before != nil {
		d.before()
	}
	if d.last != nil {
		_ = d.last.Close() // usually it is closed already
	}
	c, err := (&net.Dialer{Timeout: dialTimeout}).Dial(network, address)
	d.last = c
	if err != nil {
		d.last = nil
	}
	return c, err
}
