//go:build unix

// Readers of the page while workers are busy: they may not make the workers slower.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkReaders measures how many queries a worker answers under full load, with and without
// readers of a console that is a process of its own (make readers). It fails if the median of the
// ratios is below 0.97. The order changes from round to round, as the machine does with time.
func BenchmarkReaders(b *testing.B) {
	const rounds, least, rest = 6, 0.97, 5 * time.Second
	dev := launch(b, nil, "dev", "-o", "json", "--nats-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0")
	urls := dev.urls()
	page := "http://" + freeAddress(b)
	launch(b, nil, "console", "--nats", urls["nats"], "--database", urls["database"], "--console-listen", page[len("http://"):])
	for answered := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := visit(b.Context(), page+"/fleet"); err == nil {
			break
		} else if time.Now().After(answered) {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		var ratios []float64
		for round := range rounds {
			rates := map[bool]float64{}
			for _, read := range []bool{round%2 == 0, round%2 == 1} {
				stop := func() {}
				if read {
					stop = readers(b, page)
				}
				time.Sleep(rest) // the recorder catches up, the tabs are open
				rates[read] = answersPerSecond(b, urls["nats"])
				stop()
			}
			b.Logf("%.0f answers/s with readers, %.0f without", rates[true], rates[false])
			ratios = append(ratios, rates[true]/rates[false])
		}
		slices.Sort(ratios)
		median := (ratios[rounds/2-1] + ratios[rounds/2]) / 2
		b.ReportMetric(median, "with/without")
		b.ReportMetric(ratios[0], "worst")
		if median < least {
			b.Errorf("%.2f of the answers with readers, in %d rounds %.2f; at least %.2f", median, rounds, ratios, least)
		}
	}
}

// readers keep 100 tabs of the fleet open, and read some nine pages a second, until stop. Each tab
// must have been sent something, and each page be read.
func readers(b *testing.B, page string) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if n, err := visit(ctx, page+"/fleet/events"); n == 0 || ctx.Err() == nil {
				b.Errorf("a tab was closed after %d bytes: %v", n, err)
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil {
			for _, path := range []string{"/", "/fleet", "/queries", "/queries?outcome=signed", "/letters"} {
				if n, err := visit(ctx, page+path); ctx.Err() == nil && (n == 0 || err != nil) {
					b.Errorf("%s: %d bytes, %v", path, n, err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	})
	return func() { cancel(); all.Wait() }
}

// visit reads a page to its end, and returns its bytes.
func visit(ctx context.Context, url string) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK || a.Request.URL.String() != url {
		return 0, fmt.Errorf("%s of %s", a.Status, a.Request.URL)
	}
	return io.Copy(io.Discard, a.Body)
}

// answersPerSecond runs the load generator for 6 seconds.
func answersPerSecond(b *testing.B, nats string) float64 {
	b.Helper()
	out, err := exec.Command("protocolq", "bench", "--nats", nats, "--rate", "max", "--for", "6s", "--warm", "1s", "-o", "json").Output()
	var r struct{ Rate float64 }
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil || r.Rate <= 0 {
		b.Fatalf("%s: %v", out, err)
	}
	return r.Rate
}
