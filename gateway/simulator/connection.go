// Faults of the connection and of HTTP: they happen before the client reads XML.

package simulator

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stage is one call with a fault.
type stage struct {
	s     *Simulator
	w     http.ResponseWriter
	r     *http.Request
	q     question
	call  *openCall
	scene scene
}

// body is the true answer.
func (st *stage) body() []byte {
	b, err := st.s.render(st.q, st.scene.reply)
	if err != nil {
		st.s.logger.Error("answer not rendered", "err", err)
	}
	return b
}

// flush sends what is written to the network. Without a network it may fail.
func (st *stage) flush() { _ = http.NewResponseController(st.w).Flush() }

func late(st *stage) {
	if !wait(st.r.Context(), st.scene.pause) {
		st.call.Answer = clientLeft
		return
	}
	st.s.tell(st.w, st.call, st.q, st.scene.reply)
}

func hang(st *stage) {
	wait(st.r.Context(), st.scene.pause)
	drop(st)
}

// drop leaves in the way that net/http provides: the server closes the connection without a
// response.
func drop(*stage) { panic(http.ErrAbortHandler) }

// reset closes with a zero linger, which makes TCP send RST instead of FIN.
func reset(st *stage) {
	conn, _, err := http.NewResponseController(st.w).Hijack()
	if err != nil {
		drop(st)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func halfBody(st *stage) {
	body := st.body()
	st.w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	writeXML(st.w, body[:len(body)/2])
	st.flush()
	drop(st)
}

func slowDrip(st *stage) {
	st.w.Header()["Content-Type"] = xmlType
	for _, b := range st.body() {
		if _, err := st.w.Write([]byte{b}); err != nil {
			return
		}
		st.flush()
		if !wait(st.r.Context(), st.scene.pause) {
			st.call.Answer = clientLeft
			return
		}
	}
	st.call.told(st.scene.reply)
}

// endless begins like the answer: a client that stops reading early must not have enough to
// believe.
func endless(st *stage) {
	body := st.body()
	writeXML(st.w, bytes.TrimSuffix(body, []byte("</alipay>")))
	filler := bytes.Repeat([]byte("<!-- more -->"), 2500)
	for st.r.Context().Err() == nil {
		if _, err := st.w.Write(filler); err != nil {
			return
		}
	}
}

// gzipMember is 1 MiB of compressed spaces: members can be joined, and spaces may follow an XML
// document.
var gzipMember = sync.OnceValue(func() []byte {
	return gzipped(bytes.Repeat([]byte(" "), 1<<20))
})

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func gzipBomb(st *stage) {
	st.w.Header().Set("Content-Encoding", "gzip")
	writeXML(st.w, gzipped(st.body()))
	for range 200 {
		if _, err := st.w.Write(gzipMember()); err != nil {
			return
		}
	}
}

func hugeHeaders(st *stage) {
	for i := range 1024 {
		st.w.Header().Set(fmt.Sprintf("X-Filler-%d", i), strings.Repeat("x", 1010))
	}
	writeXML(st.w, st.body())
}

func interim(st *stage) {
	for range 10_000 {
		if st.r.Context().Err() != nil {
			st.call.Answer = clientLeft
			return
		}
		st.w.WriteHeader(http.StatusEarlyHints)
	}
	writeXML(st.w, st.body())
}

func page(status int) func(*stage) {
	text := fmt.Sprintf("<html><head><title>%d %s</title></head>\n<body><center><h1>%d "+
		"%s</h1></center><hr></body></html>\n",
		status, http.StatusText(status), status, http.StatusText(status))
	return func(st *stage) {
		st.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		st.w.WriteHeader(status)
		_, _ = st.w.Write([]byte(text))
	}
}

// notBefore refuses the client until a time, which say writes into the response. The response has
// its own Date, in whole seconds like every Date, so that both forms of the time mean the same.
func notBefore(status int, say func(date time.Time, pause time.Duration) string) func(*stage) {
	show := page(status)
	return func(st *stage) {
		date := time.Now().UTC().Truncate(time.Second)
		st.w.Header().Set("Date", date.Format(http.TimeFormat))
		st.w.Header().Set("Retry-After", say(date, st.scene.pause))
		show(st)
	}
}

// inSeconds rounds up, as the header has only whole seconds.
func inSeconds(_ time.Time, pause time.Duration) string {
	return strconv.FormatInt(int64((pause+time.Second-1)/time.Second), 10)
}

func asDate(date time.Time, pause time.Duration) string {
	return date.Add(pause + time.Second - 1).Truncate(time.Second).Format(http.TimeFormat)
}

func redirect(status int) func(*stage) {
	return func(st *stage) {
		st.w.Header().Set("Location", st.s.options.RedirectTo)
		st.w.WriteHeader(status)
	}
}
