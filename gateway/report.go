// How one call went: its phases, for a log line or a person at a terminal.

package gateway

import (
	"net/http/httptrace"
	"sync"
	"time"
)

// Report says how a call went, whatever its result. A phase that did not happen is zero, for
// example on a reused connection.
type Report struct {
	At         time.Time
	DNS        time.Duration
	Connect    time.Duration
	TLS        time.Duration
	Quiet      time.Duration // time that the call waited until its connection had been quiet long enough
	FirstByte  time.Duration // from the request's last byte sent to the answer's first byte
	Body       time.Duration // from the answer's first byte to its last
	Total      time.Duration
	Reused     bool
	Remote     string // address and port connected to
	HTTPStatus int
	// Bytes is the length of the body that was read. For an unread body it is the length in its
	// header, at most 256 KiB + 1.
	Bytes int
	// ContentType is the answer's header in visible ASCII, at most 100 bytes.
	ContentType string
	// Excerpt is the beginning, at most 800 bytes as text, of a body that was not a readable answer,
	// also of an HTTP error; for an HTML page it is the text without the markup. It is set only with
	// Query.Explain. It may hold the e-mail, the account and the signature, and anything that the
	// other side sent, including control characters. Do not log it; show it on a terminal only masked
	// and made printable.
	Excerpt string
	// StringToSign is the signed text, without the key; only with Query.Explain. It holds
	// the e-mail and the account.
	StringToSign string
}

// tracer collects the phases. net.Dialer calls its hooks from goroutines of its own, even after the
// call has ended, so tracer needs a lock.
type tracer struct {
	mu                                      sync.Mutex // guards all below
	r                                       Report
	dns, connect, handshake, wrote, started time.Time
	quiet                                   time.Time
	hasConn                                 bool
}

func newTracer() *tracer { return &tracer{r: Report{At: time.Now()}} }

func (t *tracer) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { t.begin(&t.dns) },
		DNSDone:      func(httptrace.DNSDoneInfo) { t.end(&t.dns, &t.r.DNS) },
		ConnectStart: func(string, string) { t.begin(&t.connect) },
		ConnectDone:  func(string, string, error) { t.end(&t.connect, &t.r.Connect) },
	}
}

func (t *tracer) handshakeStart() { t.begin(&t.handshake) }
func (t *tracer) handshakeDone()  { t.end(&t.handshake, &t.r.TLS) }
func (t *tracer) quietStart()     { t.begin(&t.quiet) }
func (t *tracer) quietDone()      { t.end(&t.quiet, &t.r.Quiet) }
func (t *tracer) wroteRequest()   { t.begin(&t.wrote) }

func (t *tracer) firstByte() {
	t.begin(&t.started)
	t.end(&t.wrote, &t.r.FirstByte)
}

// begin notes when something first happens: if two addresses are tried at once, the phase begins
// with the first.
func (t *tracer) begin(at *time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.IsZero() {
		*at = time.Now()
	}
}

// end notes how long a phase took, up to the latest end.
func (t *tracer) end(from *time.Time, took *time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !from.IsZero() {
		*took = time.Since(*from)
	}
}

func (t *tracer) gotConn(remote string, reused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hasConn, t.r.Reused, t.r.Remote = true, reused, remote
}

func (t *tracer) connected() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hasConn
}

// shookHands distinguishes a refused TLS handshake from a failed connection. The errors do not: an
// alert of the other side has an unexported type of crypto/tls.
func (t *tracer) shookHands() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.handshake.IsZero()
}

func (t *tracer) head(status int, contentType string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.HTTPStatus, t.r.ContentType = status, contentType
}

func (t *tracer) bodyRead(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Bytes = n
	if !t.started.IsZero() {
		t.r.Body = time.Since(t.started)
	}
}

// report copies what is known now; later hooks do not change the copy.
func (t *tracer) report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Total = time.Since(t.r.At)
	return t.r
}
