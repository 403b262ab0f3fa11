// What one call costs the client.

package gateway_test

import (
	"testing"

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
