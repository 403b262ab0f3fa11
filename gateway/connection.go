// One connection: it is quiet before each question, and nothing follows the answer.

package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"protocolq/gateway/mapi"
)

const (
	// maxHead bounds the status lines and headers of one answer, including those of 1xx responses.
	maxHead = 64 << 10
	// maxInformational bounds the 1xx responses before the answer.
	maxInformational = 5
	// glance is the duration of a read that looks for bytes which have already arrived. On a busy
	// machine its time may be over before it begins, so the read is repeated while bytes wait.
	glance     = time.Millisecond
	maxGlances = 100
)

var (
	// errStray is the cause of every answer that is rejected because of unexpected bytes.
	errStray = errors.New("bytes that nobody asked for")
	// errBound is the error for headers above maxHead, and for a body in chunks so small that the
	// chunk sizes are most of it.
	errBound = errors.New("headers or chunk sizes are longer than an answer's may be")
	// errGrammar replaces net/http's own errors, which repeat what was received at any length.
	errGrammar = errors.New("what came is not an answer in HTTP/1")
)

// connection is one TCP connection, with TLS over it for https. One call at a time uses it. Between
// calls it is in the pool and is not read. So anything that the other side sends meanwhile is still
// there, and is found before the next question.
type connection struct {
	socket net.Conn // for questions to the system: TCP, below TLS
	conn   net.Conn // for writing the question
	remote string   // its address, for a report
	in     *bufio.Reader
	left   int   // bytes that the present head or body may still have
	failed error // the error of the last read, nil if it only brought bytes

	until  time.Time // its maximum age ends
	freed  time.Time // since when it has been idle
	pooled bool      // it has been in the pool: it may have died there unnoticed
	used   bool      // it has carried a question before this one
	heard  bool      // the other side has responded to the present question, at least with one byte
}

func newConnection(socket, conn net.Conn) *connection {
	c := &connection{socket: socket, conn: conn}
	if a := conn.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.in = bufio.NewReader(c)
	return c
}

// Read bounds the size of a head: http.ReadResponse has no limit of its own.
func (c *connection) Read(b []byte) (n int, err error) {
	if err = errBound; c.left > 0 {
		n, err = c.conn.Read(b[:min(len(b), c.left)])
	}
	c.left, c.failed = c.left-n, err
	return n, err
}

// fault is the error to show for an error of net/http: the read that failed, else errGrammar.
func (c *connection) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case c.failed == nil:
		return errGrammar
	case errors.Is(c.failed, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return c.failed
}

func (c *connection) close() { _ = c.conn.Close() }

// quiet looks for bytes that have arrived although nothing was asked, and for the end of the
// connection. It returns nil if there is neither. Only above TLS is it known whether bytes are an
// answer: session tickets come without a question. If only a part of a record has arrived, quiet
// waits for the rest: the record may be either.
func (c *connection) quiet() error {
	// A read whose time is over returns what TLS or the buffer holds, and never waits.
	if err := c.listen(time.Unix(1, 0)); err != nil {
		return err
	}
	for range maxGlances {
		waiting, err := pending(c.socket)
		unknown := errors.Is(err, errors.ErrUnsupported)
		if !unknown && (err != nil || waiting == 0 && !withinRecord(c.conn)) {
			return err
		}
		if err := c.listen(time.Now().Add(glance)); err != nil || unknown && !withinRecord(c.conn) {
			return err
		}
	}
	return errStray // it does not stop
}

// listen reads until a time before which nothing may arrive.
func (c *connection) listen(until time.Time) error {
	c.left = 1
	_ = c.conn.SetReadDeadline(until)
	_, err := c.in.Peek(1)
	switch {
	case err == nil:
		return errStray
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}

// ask writes the question and reads its whole answer. The error is nil only if the answer ended
// where it said and nothing follows it. reusable says what the answer's own headers allow.
func (c *connection) ask(q question, t *tracer) (a reply, reusable bool, err error) {
	c.heard = false
	if err := q.fence(); err != nil {
		return a, false, err
	}
	if _, err := c.conn.Write(q.bytes); err != nil {
		return a, false, err
	}
	t.wroteRequest()
	// The body is not closed: closing would read it to its end, even if it is not wanted, and there is
	// nothing else to release.
	resp, err := c.head(q.request, t) //nolint:bodyclose // see above
	if err != nil {
		return a, false, c.unread(err)
	}
	c.left = 4 * mapi.MaxAnswer // chunk sizes and trailers included
	a, err = readReply(resp, q.explain, t)
	if err != nil {
		return a, false, c.unread(err)
	}
	if len(a.body) > mapi.MaxAnswer || a.status != http.StatusOK {
		return a, false, nil
	}
	if err := c.quiet(); errors.Is(err, errStray) {
		return a, false, fmt.Errorf("%w stand behind the answer", err)
	} else if err != nil {
		return a, false, nil // the other side has closed, which does not affect the answer
	}
	return a, !resp.Close, nil
}

// forgotten reports whether a balancer may have forgotten the connection: the other side was
// silent, or reset it. If the other side responds or closes in order, it is alive.
func (c *connection) forgotten(err error) bool {
	return !c.heard && !errors.Is(err, io.ErrUnexpectedEOF)
}

// unread classifies an answer that could not be read: either the connection ended, see classify, or
// the answer is faulty.
func (c *connection) unread(err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return err
	}
	err = c.fault(err)
	if errors.Is(err, errGrammar) || errors.Is(err, errBound) {
		return fail(CodeUnreadable, mapi.Temp, err)
	}
	return err
}

// head reads up to the answer's headers and skips informational responses.
func (c *connection) head(r *http.Request, t *tracer) (*http.Response, error) {
	c.left = maxHead
	if _, err := c.in.Peek(1); err != nil {
		return nil, err
	}
	c.heard = true
	t.firstByte()
	for range maxInformational + 1 {
		resp, err := http.ReadResponse(c.in, r)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
	return nil, fail(CodeUnreadable, mapi.Temp, fmt.Errorf("more than %d informational responses", maxInformational))
}
