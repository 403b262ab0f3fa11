// Where a TLS record ends: a partly received record is invisible above TLS.

package gateway

import (
	"crypto/tls"
	"encoding/binary"
	"net"
)

// recordHead is the length of a record's header: type, version, and the body's length in two bytes
// (RFC 8446 section 5.1, RFC 5246 section 6.2.1).
const recordHead = 5

// records is the reader below TLS. It follows the lengths of records, which are not encrypted:
// crypto/tls keeps the beginning of a record to itself until the rest arrives, and the system no
// longer has it. One goroutine at a time reads.
type records struct {
	net.Conn
	head [recordHead]byte
	have int // bytes of the present header
	left int // bytes of the present body that are still to come
}

// Read follows the bytes that TLS reads.
func (r *records) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.follow(b[:n])
	return n, err
}

func (r *records) follow(b []byte) {
	for len(b) > 0 {
		if r.left > 0 {
			n := min(r.left, len(b))
			r.left -= n
			b = b[n:]
			continue
		}
		n := copy(r.head[r.have:], b)
		r.have += n
		b = b[n:]
		if r.have == recordHead {
			r.have, r.left = 0, int(binary.BigEndian.Uint16(r.head[3:]))
		}
	}
}

// withinRecord reports whether a TLS record has arrived only in part, on the connection to the
// gateway or on a connection to a proxy below it.
func withinRecord(conn net.Conn) bool {
	for {
		switch c := conn.(type) {
		case *tls.Conn:
			conn = c.NetConn()
		case *records:
			if c.have > 0 || c.left > 0 {
				return true
			}
			conn = c.Conn
		default:
			return false
		}
	}
}
