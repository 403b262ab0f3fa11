// What a call costs the practice gateway.

package simulator_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

// nowhere is a ResponseWriter that drops everything.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

func BenchmarkHandler(b *testing.B) {
	s := newSimulator(b, nil)
	bodies := make([][]byte, 1024)
	for i := range bodies {
		bodies[i] = []byte(form(b, query(mapi.UTF8, fmt.Sprintf("signed+%d@example.com", i), ""), mapi.UTF8))
	}
	req := post(b, action+"utf-8", "")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		req.Body = io.NopCloser(bytes.NewReader(bodies[i%len(bodies)]))
		s.ServeHTTP(nowhere{http.Header{}}, req)
		i++
	}
}

// BenchmarkServe is the whole server on loopback, with plain sockets as cheap clients.
func BenchmarkServe(b *testing.B) {
	s := newSimulator(b, nil)
	gateway, _ := serve(b, s)
	body := form(b, query(mapi.UTF8, "signed@example.com", ""), mapi.UTF8)
	request := fmt.Appendf(nil, "POST /gateway.do?_input_charset=utf-8 HTTP/1.1\r\nHost: x\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", strings.TrimPrefix(gateway, "http://"))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			// Loopback delivers a small answer in one piece.
			if _, err := conn.Read(buf); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
