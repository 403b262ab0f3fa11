// What one call costs the client.

package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"protocolq/gateway"
)

// BenchmarkAsk is client and practice gateway together, without a network.
func BenchmarkAsk(b *testing.B) {
	c, _ := pair(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Ask(b.Context(), email("signed"), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAskLoopback has loopback between them.
func BenchmarkAskLoopback(b *testing.B) {
	c := wired(b, newSimulator(b, nil), nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := c.Ask(b.Context(), email("signed"), nil); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkAskTLS is the cost of the checks of connections, over TLS on loopback, compared with
// net/http's own transport in the same run: with one caller and with 128.
func BenchmarkAskTLS(b *testing.B) {
	server := httptest.NewTLSServer(newSimulator(b, nil))
	defer server.Close()
	plain := server.Client().Transport.(*http.Transport)
	plain.MaxIdleConnsPerHost = 1024
	for _, way := range []struct {
		name   string
		change func(*gateway.Options)
	}{
		{"transport", func(o *gateway.Options) { o.RoundTripper = plain }},
		{"reuse-at-once", func(o *gateway.Options) { o.ReuseAfter = 1 }},
		{"reuse-after-100ms", func(o *gateway.Options) { o.ReuseAfter = 100 * time.Millisecond }},
		{"one-question", func(*gateway.Options) {}},
	} {
		for _, callers := range []int{1, 128} {
			b.Run(fmt.Sprintf("%s/callers=%d", way.name, callers), func(b *testing.B) {
				c := newClient(b, func(o *gateway.Options) {
					o.URL, o.UnsafeHost, o.RootCAs = server.URL+"/gateway.do", true, plain.TLSClientConfig.RootCAs
					way.change(o)
				})
				askAll(b, c, callers)
			})
		}
	}
}

// askAll makes b.N calls from a number of callers at once, and reports the processor time.
func askAll(b *testing.B, c *gateway.Client, callers int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	before := cpu(b)
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, _, err := c.Ask(b.Context(), email("signed"), nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSign is the part without any input or output.
func BenchmarkSign(b *testing.B) {
	c, _ := pair(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Sign(gateway.Query{Partner: partnerID, UserEmail: "signed@example.com"}); err != nil {
			b.Fatal(err)
		}
	}
}
