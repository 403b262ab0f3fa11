// What must hold for any input: the canonical text, the answer, the signature.

package mapi_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"protocolq/gateway/mapi"
)

// needSeeds keeps a fuzz target from passing because it has no inputs.
func needSeeds(f *testing.F, n int) {
	f.Helper()
	if n == 0 {
		f.Fatal("there is no seed")
	}
}

// FuzzStringToSign: the order of the parameters never matters, and the text is the same as that of
// a much simpler program.
func FuzzStringToSign(f *testing.F) {
	seeds := []string{"", "a=1", "b=2\na=1", "sign=x\nsign_type=MD5\n_input_charset=gbk\nA=\n0=0", "a=1\na=2", "=x", "ключ=1"}
	for _, v := range loadVectors(f) {
		seeds = append(seeds, strings.ReplaceAll(v.StringToSign, "&", "\n"))
	}
	needSeeds(f, len(seeds))
	for i, s := range seeds {
		f.Add(s, uint64(i))
	}
	f.Fuzz(func(t *testing.T, lines string, order uint64) {
		var p mapi.Params
		values := map[string]string{}
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, "=")
			p = append(p, mapi.Param{Name: name, Value: value})
			values[name] = value
		}
		text, err := p.StringToSign()
		shuffled := slices.Clone(p)
		rand.New(rand.NewPCG(order, 0)).Shuffle(len(p), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, errAgain := shuffled.StringToSign()
		if text != again || (err == nil) != (errAgain == nil) {
			t.Fatalf("%q, %v in one order, %q, %v in another", text, err, again, errAgain)
		}
		if err != nil {
			if text != "" {
				t.Fatalf("text %q with error %v", text, err)
			}
			return
		}
		if len(values) != len(p) {
			t.Fatalf("a repeated parameter went unseen in %q", lines)
		}
		if want := simply(values); text != want {
			t.Fatalf("got %q, want %q", text, want)
		}
	})
}

func simply(values map[string]string) string {
	var pairs []string
	delete(values, "sign")
	delete(values, "sign_type")
	for name, value := range values {
		if value != "" {
			// NUL sorts a name before all names that continue it; = would not.
			pairs = append(pairs, name+"\x00"+value)
		}
	}
	slices.Sort(pairs)
	for i := range pairs {
		pairs[i] = strings.Replace(pairs[i], "\x00", "=", 1)
	}
	return strings.Join(pairs, "&")
}

// FuzzParseAnswer: it never panics, an error leaves nothing behind, and what is read is bounded,
// valid text.
func FuzzParseAnswer(f *testing.F) {
	seeds := []string{flatAnswer, wrappedAnswer, flatAnswer[:100], "<html>", "\xEF\xBB\xBF" + flatAnswer, "\xFF\xFE<\x00",
		"<?xml version='1.0' encoding='GBK'?><alipay><a>\xBB\xFA</a><response><w><b>&#26426;<!----></b></w></response></alipay>",
		"<alipay><a><![CDATA[x]]>y</a><b:c d='e'/></alipay>", "<alipay><a>\n<![CDATA[x]]>\n</a><b> <![CDATA[]]></b></alipay>", strings.Repeat("<alipay>", 17)}
	for _, v := range loadVectors(f) {
		if v.XML != "" {
			seeds = append(seeds, v.XML)
		}
	}
	needSeeds(f, len(seeds))
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	verifier := md5Key(f).Verifier()
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := mapi.ParseAnswer(body)
		if err != nil {
			if !reflect.DeepEqual(a, mapi.Answer{}) || len(err.Error()) > 250 {
				t.Fatalf("answer %v with error %v", a, err)
			}
			return
		}
		size := 0
		for _, q := range a.Signed() {
			got, ok := a.Get(q.Name)
			if !ok || got != q.Value || !utf8.ValidString(got) {
				t.Fatalf("field %q is %q, %v, but %q is signed", q.Name, got, ok, q.Value)
			}
			size += len(q.Name) + len(q.Value)
		}
		if size > 2*len(body) { // a GBK byte pair becomes three bytes
			t.Fatalf("%d bytes of answer make %d of fields", len(body), size)
		}
		_, signed := a.Get("sign")
		if got, err := a.Verify(verifier, mapi.UTF8); (got == mapi.Bad) != (err != nil) || got == mapi.Unsigned && signed && !strings.Contains(string(body), "response") {
			t.Fatalf("verification %s, error %v", got, err)
		}
	})
}

// FuzzSignVerify: what is signed verifies, and nothing else does.
func FuzzSignVerify(f *testing.F) {
	type seed struct{ name, value, other string }
	seeds := []seed{{"subject", "机票", "机"}, {"a", "", " "}, {"a", "0", ""}, {"a", "x&b=1", "x"}, {"sign", "1", "2"}, {"a", "镕€", "😀"}, {"a", "\xFF", "b"}}
	needSeeds(f, len(seeds))
	for i, s := range seeds {
		f.Add(s.name, s.value, s.other, uint8(i), uint16(i))
	}
	keys := []mapi.Key{md5Key(f)}
	for st, file := range map[mapi.SignType]string{mapi.RSA: "rsa_pkcs1.pem", mapi.RSA2: "rsa_pkcs8.pem", mapi.DSA: "dsa_old.pem"} {
		key, err := mapi.ParseKey(st, readKey(f, file))
		if err != nil {
			f.Fatal(err)
		}
		keys = append(keys, key)
	}
	charsets := []mapi.Charset{mapi.UTF8, mapi.GBK, mapi.GB2312}
	f.Fuzz(func(t *testing.T, name, value, other string, pick uint8, at uint16) {
		key, cs := keys[int(pick)%len(keys)], charsets[int(pick/4)%len(charsets)]
		p := mapi.Params{{"partner", "2088"}, {name, value}}
		sign, err := key.Sign(p, cs)
		if err != nil {
			return
		}
		verifier := key.Verifier()
		if err := verifier.Verify(mapi.Params{p[1], p[0]}, cs, sign); err != nil {
			t.Fatalf("%s of %v: %v", key.SignType(), p, err)
		}
		if got := mapi.Diagnose(p, verifier, cs, sign); got != "" && name != "sign_type" {
			t.Fatalf("%s of %v is right, and %q", key.SignType(), p, got)
		}
		if got := mapi.Diagnose(mapi.Params{p[0], {name, other}}, keys[0].Verifier(), cs, value); strings.Contains(got, "would verify") && len(value) < 32 {
			t.Fatalf("%q is no sign, and %q", value, got)
		}
		if other != value && name != "sign" && name != "sign_type" {
			if err := verifier.Verify(mapi.Params{p[0], {name, other}}, cs, sign); !errors.Is(err, mapi.ErrBadSign) {
				t.Fatalf("%s of %v holds for %q: %v", key.SignType(), p, other, err)
			}
		}
		changed := []byte(sign)
		changed[int(at)%len(sign)] ^= 1 + byte(at>>8)&0x7F
		if string(changed) != sign && verifier.Verify(p, cs, string(changed)) == nil {
			t.Fatalf("%s %s still holds as %s", key.SignType(), sign, changed)
		}
	})
}
