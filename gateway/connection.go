// One connection: it is quiet before each question, and nothing stands behind the answer.

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
	// maxHead bounds the status lines and headers of one answer, those of 1xx included.
	maxHead = 64 << 10
	// maxInformational bounds the 1xx responses before the answer.
	maxInformational = 5
	// glance is how long a read lasts that looks for bytes which are already here. On a busy
	// machine it may be over before it began, so that it is repeated while bytes wait.
	glance     = time.Millisecond
	maxGlances = 100
)

var (
	// errStray is behind every answer that is not believed because of bytes nobody asked for.
	errStray = errors.New("bytes that nobody asked for")
	// errBound is behind headers above maxHead, and behind a body in chunks so small that
	// their sizes are most of it.
	errBound = errors.New("headers or chunk sizes are longer than an answer's may be")
	// errGrammar stands for net/http's own errors, which repeat what came at any length.
	errGrammar = errors.New("what came is not an answer in HTTP/1")
)

// connection is one TCP connection, with TLS over it for https. One call at a time uses
// it; between calls it lies in the pool and nobody reads it, so that whatever the other
// side sends meanwhile is still there, and is found, before the next question.
type connection struct {
	socket net.Conn // what the system can be asked about: TCP, below TLS
	conn   net.Conn // what the question is written to
	remote string   // where it leads, for a report
	in     *bufio.Reader
	left   int   // bytes that the present head or body may still have
	failed error // what the last read ended with, nil where it brought bytes alone

	until  time.Time // the end of its age
	freed  time.Time // since when it rests
	pooled bool      // it has been in the pool: it may have died there without a word
	used   bool      // it has carried a question before this one
	heard  bool      // the other side has answered the present question, if only with one byte
}

func newConnection(socket, conn net.Conn) *connection {
	c := &connection{socket: socket, conn: conn}
	if a := conn.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.in = bufio.NewReader(c)
	return c
}

// Read bounds what a head may be: http.ReadResponse has no limit of its own.
func (c *connection) Read(b []byte) (n int, err error) {
	if err = errBound; c.left > 0 {
		n, err = c.conn.Read(b[:min(len(b), c.left)])
	}
	c.left, c.failed = c.left-n, err
	return n, err
}

// fault is what is shown for an error of net/http: the read that failed, else errGrammar.
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

// quiet looks for bytes that are here although nothing was asked, and for the connection's
// end. It is nil where there is neither. Only above TLS can it be reported whether bytes are an
// answer: session tickets come unasked. Of a record that is here in part the rest is waited
// for: it may be either.
func (c *connection) quiet() error {
	// A read whose time is over brings what TLS or the buffer hold, and never waits.
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

// listen reads until a moment before which nothing may come.
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

// ask writes the question and reads its answer whole. The error is nil only when the answer
// ended where it said and nothing stands behind it; reusable is what the answer's own
// headers allow.
func (c *connection) ask(q question, t *tracer) (a reply, reusable bool, err error) {
	c.heard = false
	if err := q.fence(); err != nil {
		return a, false, err
	}
	if _, err := c.conn.Write(q.bytes); err != nil {
		return a, false, err
	}
	t.wroteRequest()
	// Its body is not closed: that would read it to its end, also where nobody wants it, and
	// there is nothing else to give back.
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
		return a, false, nil // the other side has closed, which takes nothing from the answer
	}
	return a, !resp.Close, nil
}

// forgotten says that a failure may be one of a connection that a balancer has forgotten: the
// other side was silent, or somebody knew nothing of it. Who answers or takes leave is alive.
func (c *connection) forgotten(err error) bool {
	return !c.heard && !errors.Is(err, io.ErrUnexpectedEOF)
}

// unread says whose fault it is that an answer was not read: that of a connection that ended,
// which classify names, or of the answer.
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

// head reads up to the answer's headers and skips what is only informational.
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
