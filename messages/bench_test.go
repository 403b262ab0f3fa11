// The cost of reading, writing and naming.

package messages_test

import (
	"testing"

	"protocolq/messages"
)

// typicalQuery is a query as most askers send it.
func typicalQuery() messages.Query {
	return messages.Query{
		V: 1, ID: "order-20261123-000017", Partner: "2088001122334455", UserEmail: "zhang.san@example.com", AccountNo: "20881234567890123456",
		DeadlineMs: 1795424400000, ReplyTo: "_INBOX.b7Kq0Zr1T5c9yD2mXw8LsE.1",
	}
}

func typicalResult() messages.Result {
	return messages.Result{
		V: 1, ID: "order-20261123-000017", Partner: "2088001122334455", Run: "b7Kq0Zr1T5c9yD2mXw8LsE", Outcome: messages.Signed, ChargeAgent: new(true),
		RefundCharge: new(false), UserID: "20881234567890123456", IsSuccess: "T", Source: messages.Asked, Attempts: 1, AskedAtMs: 1795424398000,
		AnsweredAtMs: 1795424398210, ExpiresAtMs: 1795424458210, Verified: messages.VerifiedSign,
	}
}

func BenchmarkDecodeQuery(b *testing.B) {
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		data := must(typicalQuery().Encode(e))(b)
		b.Run(string(e), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := messages.DecodeQuery(data, string(e)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeResult(b *testing.B) {
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		data := must(typicalResult().Encode(e))(b)
		b.Run(string(e), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := messages.DecodeResult(data, string(e)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeResult(b *testing.B) {
	r := typicalResult()
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		b.Run(string(e), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Encode(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKeyToken(b *testing.B) {
	q := typicalQuery()
	b.ReportAllocs()
	for b.Loop() {
		q.KeyToken()
	}
}

func BenchmarkCheckReply(b *testing.B) {
	n := names(b)
	allowed, own := n.DefaultReplies(), []string{"_INBOX_wk"}
	b.ReportAllocs()
	for b.Loop() {
		if err := n.CheckReply("_INBOX.b7Kq0Zr1T5c9yD2mXw8LsE.1", allowed, own); err != nil {
			b.Fatal(err)
		}
	}
}
