// What a call costs the practice gateway.
package simulator_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"protocolq/gateway/mapi"
)

// nowhere is a ResponseWriter that keeps nothing.
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
