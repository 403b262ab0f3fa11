// What is written once for many askers is byte for byte what is written for each.

package messages_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"protocolq/messages"
)

// anyResult is a Result whose fields are set or not, by chance. Its texts hold what could be
// mistaken for other fields.
func anyResult(r *rand.Rand) messages.Result {
	texts := []string{"", "", "x", `,"retryable":true`, `","retryable":false,"`, `,"expires_at_ms":1`, `","verified":"`, "}", "张三 <&>", strings.Repeat("y", 300)}
	text := func() string { return texts[r.IntN(len(texts))] }
	number := func() int64 { return []int64{0, 1, 1 << 20, 1795424398210}[r.IntN(4)] }
	truth := func() *bool { return []*bool{nil, new(true), new(false)}[r.IntN(3)] }
	res := messages.Result{V: 1, ID: text(), Key: text(), Partner: text(), Run: text(), Question: text(), Outcome: messages.Outcomes()[r.IntN(6)],
		ChargeAgent: truth(), RefundCharge: truth(), UserID: text(), IsSuccess: text(), Code: text(), Message: text(), Retryable: r.IntN(2) == 0,
		RetryAfterMs: number(), Source: []messages.Source{"", messages.Asked, messages.Joined}[r.IntN(3)], Attempts: int(number()),
		AskedAtMs: number(), AnsweredAtMs: number(), ExpiresAtMs: number(), Verified: []string{"", messages.VerifiedSign}[r.IntN(2)]}
	for range r.IntN(3) {
		if res.Meta == nil {
			res.Meta = map[string]string{}
		}
		res.Meta[text()] = text()
	}
	return res
}

func own(r messages.Result) messages.Own {
	return messages.Own{ID: r.ID, RetryAfterMs: r.RetryAfterMs, Source: r.Source, AnsweredAtMs: r.AnsweredAtMs, Meta: r.Meta}
}

func TestSharedIsTheResultOfEachAsker(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		first, second := anyResult(chance), anyResult(chance)
		for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
			shared := must(first.Share(e))(t)
			for _, asker := range []messages.Result{first, second} {
				r := first
				r.ID, r.RetryAfterMs, r.Source, r.AnsweredAtMs, r.Meta = asker.ID, asker.RetryAfterMs, asker.Source, asker.AnsweredAtMs, asker.Meta
				want := must(r.Encode(e))(t)
				if got := must(shared.Encode(own(asker)))(t); !bytes.Equal(got, want) {
					t.Fatalf("%s: shared\n%q, alone\n%q", e, got, want)
				}
			}
		}
	}
}

func TestSharedFailsAsAResultDoes(t *testing.T) {
	if _, err := (messages.Result{Outcome: messages.Signed}).Share("text/plain"); err == nil {
		t.Error("an unknown encoding is shared")
	}
	if _, err := (messages.Result{Outcome: messages.Signed, Code: "\xff"}).Share(messages.JSON); err == nil {
		t.Error("text that is not UTF-8 is shared")
	}
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		s := must((messages.Result{Outcome: messages.Signed}).Share(e))(t)
		for _, o := range []messages.Own{{ID: "\xff"}, {Meta: map[string]string{"x": "\xff"}}, {ID: strings.Repeat("x", messages.MaxMessage)}} {
			if data, err := s.Encode(o); err == nil {
				t.Errorf("%s: %.40q... is written: %d bytes", e, o.ID, len(data))
			}
		}
	}
}

func BenchmarkEncodeShared(b *testing.B) {
	r := typicalResult()
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		shared := must(r.Share(e))(b)
		o := own(r)
		b.Run(string(e), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := shared.Encode(o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
