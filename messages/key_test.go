// Key tokens compared with another program, and with each other.

package messages_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"protocolq/messages"
)

const partner = "2088001122334455"

// The expected values are from another program: Python's hashlib and base64 over the bytes that the
// doc comment of KeyToken describes, the first also from openssl.
func TestKeyToken(t *testing.T) {
	for _, c := range []struct {
		q              messages.Query
		token, hashHex string
	}{
		{messages.Query{Partner: partner, Key: "ticket-1"}, "ota7c0eq15s636ogp5iigicor0", ""},
		{messages.Query{Partner: partner, Key: "ticket-1", UserEmail: "a@b.cn"}, "ota7c0eq15s636ogp5iigicor0", "b4d827db076db8ec6c1e14d0a6b2d04d"},
		{messages.Query{Partner: "2088009988776655", Key: "ticket-1"}, "l46mbfh9a0tbpv5b6f3fc8qn8d", ""},
		{messages.Query{Partner: partner, Key: "请求一"}, "e3re9s1peg8pn6nblcagj1coqf", ""},
		{messages.Query{Partner: partner, UserEmail: "a@b.cn"}, "mjc2fmo7dmseor0u2j8adcmg9l", "b4d827db076db8ec6c1e14d0a6b2d04d"},
		{messages.Query{Partner: partner, UserEmail: " A@B.cn ", BizType: "10004", ID: "7"}, "mjc2fmo7dmseor0u2j8adcmg9l", "b4d827db076db8ec6c1e14d0a6b2d04d"},
		{
			messages.Query{Partner: partner, UserEmail: "Zhang@Example.com", AccountNo: "20881234567890123456", MaxAgeMs: new(int64(5))},
			"d0h26gq5ai04tdru12ucegmhpk", "682223434554804eb77e08bcc742d1cd",
		},
		{messages.Query{Partner: partner, AccountNo: "2088123456789012"}, "a5mhocvidrjdgitl5r98stctab", "516d1c33f26ee6d84bb52ed28e759d52"},
		{messages.Query{Partner: partner, UserEmail: "张三@example.com"}, "mimclfgn7dt5jpns4abcda59qi", "b4accabe173b7a59e6fc2296c6a8a9d4"},
	} {
		if got := c.q.KeyToken(); got != c.token {
			t.Errorf("%+v: key token %s, want %s", c.q, got, c.token)
		}
		hash := c.q.Question()
		if got := hex.EncodeToString(hash[:]); c.hashHex != "" && got != c.hashHex {
			t.Errorf("%+v: question %s, want %s", c.q, got, c.hashHex)
		}
	}
}

// Fields that plain concatenation would confuse must stay distinct.
func TestKeysStayApart(t *testing.T) {
	seen := map[string]messages.Query{}
	for _, q := range []messages.Query{
		{Partner: partner, Key: "a@b.cn"},
		{Partner: partner, UserEmail: "a@b.cn"},
		{Partner: partner, UserEmail: "a@b.cn2088123456789012"},
		{Partner: partner, UserEmail: "a@b.cn", AccountNo: "2088123456789012"},
		{Partner: partner, AccountNo: "2088123456789012"},
		{Partner: partner, UserEmail: "2088123456789012"},
		{Partner: "2088001122334456", UserEmail: "a@b.cn"},
		{UserEmail: "a@b.cn"},
		{Partner: partner, Key: "\u212a"}, // the Kelvin sign is not a k
		{Partner: partner, Key: "k"},
		{Partner: partner, UserEmail: "\u212a@b.cn"},
		{Partner: partner, UserEmail: "k@b.cn"},
	} {
		token := q.KeyToken()
		if other, ok := seen[token]; ok {
			t.Errorf("%+v and %+v share %s", q, other, token)
		}
		if !messages.IsToken(token) || len(token) != 26 {
			t.Errorf("%+v: %q cannot be part of a subject", q, token)
		}
		seen[token] = q
	}
}

func TestIdentity(t *testing.T) {
	given := messages.Query{Partner: partner, Key: "ticket-1", UserEmail: "a@b.cn", ID: "7"}
	derived := messages.Query{Partner: partner, UserEmail: "a@b.cn"}
	key, question := given.Identity("")
	// The token of the same key, as above, is c7547601… in base32hex.
	if got := hex.EncodeToString(key[:]); got != "c7547601da0978619b10c965284998d8" || question != given.Question() {
		t.Errorf("key %s, question %x", got, question)
	}
	shop, _ := given.Identity("shop")
	other, _ := given.Identity("other")
	if shop == key || shop == other {
		t.Error("two askers share a given key")
	}
	if key, question := derived.Identity("shop"); key != question || question != derived.Question() {
		t.Errorf("derived: key %x, question %x", key, question)
	}
	if id := derived.AskIdentity("shop"); id != [16]byte{} {
		t.Errorf("no id: %x", id)
	}
	seen := map[[16]byte]bool{}
	for _, q := range []messages.Query{given, {Partner: "2088009988776655", ID: "7"}, {Partner: partner, ID: "8"}} {
		for _, asker := range []string{"", "shop", "shop7"} {
			seen[q.AskIdentity(asker)] = true
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d of 9 asks are told apart", len(seen))
	}
}

// The question in the golden Results is from another program, for the queries beside them.
func TestQuestionOfGoldens(t *testing.T) {
	queries, results := map[string]messages.Query{}, map[string]messages.Result{}
	for _, g := range goldens(t, "query") {
		queries[strings.TrimSuffix(g.name, ".msgpack")], _, _ = messages.DecodeQuery(g.packed, "")
	}
	for _, g := range goldens(t, "result") {
		results[strings.TrimSuffix(g.name, ".msgpack")], _, _ = messages.DecodeResult(g.packed, "")
	}
	for result, query := range map[string]string{
		"signed": "typical", "not-signed": "given-key", "abnormal": "fresh", "accepted": "given-key", "unknown": "chinese",
	} {
		r, q := results[result], queries[query]
		if !r.Answers(q) || len(r.Question) != 32 {
			t.Errorf("%s says %s, not %s", result, r.Question, q.QuestionText())
		}
		if q.AccountNo += "0"; r.Answers(q) {
			t.Errorf("%s answers another question", result)
		}
	}
	if r, q := results["refused"], queries["least"]; r.Answers(q) || messages.QuestionText([16]byte{}) != "" {
		t.Error("what cannot be read answers a question")
	}
}
