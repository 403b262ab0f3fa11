// The diagnosis of each usual mistake, and that it says nothing else.

package mapi_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

// md5Of signs a text by the manual, without this package.
func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// pairs makes Params of name=value texts.
func pairs(texts ...string) (p mapi.Params) {
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		p = append(p, mapi.Param{Name: name, Value: value})
	}
	return p
}

func TestDiagnoseMD5(t *testing.T) {
	const key = md5Secret
	plain := pairs("b=2", "a=1")
	raw := md5.Sum([]byte("a=1&b=2" + key))
	gbk := func(s string) string {
		b, err := mapi.GBK.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	tests := []struct {
		name   string
		params mapi.Params
		cs     mapi.Charset
		sign   string
		want   string // beginning of the diagnosis; "" is none
	}{
		{"right", plain, mapi.UTF8, md5Of("a=1&b=2" + key), ""},
		{"right, in gbk", pairs("a=机"), mapi.GBK, md5Of("a=\xBB\xFA" + key), ""},
		{"right, sign_type of another kind", pairs("a=1", "sign_type=RSA"), mapi.UTF8, md5Of("a=1" + key), "with sign_type=MD5 "},
		{"right, sign_type in small letters", pairs("a=1", "sign_type=md5"), mapi.UTF8, md5Of("a=1" + key), "with sign_type=MD5 "},
		{"hopeless", plain, mapi.UTF8, md5Of("a=1&b=3" + key), ""},
		{"another key", plain, mapi.UTF8, md5Of("a=1&b=2" + strings.ToUpper(key)), ""},
		{"no sign", plain, mapi.UTF8, "", ""},
		{"repeated parameter", pairs("a=1", "a=1"), mapi.UTF8, md5Of("a=1&a=1" + key), ""},

		{"charset", pairs("a=机"), mapi.UTF8, md5Of("a=\xBB\xFA" + key), "with charset gbk "},
		{"charset, the reverse", pairs("a=机"), mapi.GBK, md5Of("a=机" + key), "with charset utf-8 "},
		{"not in the charset", pairs("a=镕"), mapi.GB2312, md5Of("a=" + gbk("镕") + key), "with charset gbk "},
		{"capitals", plain, mapi.UTF8, strings.ToUpper(md5Of("a=1&b=2" + key)), "with the sign in small letters "},
		{"encoded sign", plain, mapi.UTF8, "%" + hex.EncodeToString([]byte(md5Of("a=1&b=2" + key)[:1])) + md5Of("a=1&b=2" + key)[1:], "with the sign percent-decoded "},
		{"sign with a line end", plain, mapi.UTF8, md5Of("a=1&b=2"+key) + "\r\n", "with the blanks and line breaks in the sign left out "},
		{"sign in quotes", plain, mapi.UTF8, `"` + md5Of("a=1&b=2"+key) + `"`, "with the quotes around the sign left out "},
		{"sign in base64", plain, mapi.UTF8, base64.StdEncoding.EncodeToString(raw[:]), "with the sign in hexadecimal digits "},
		{"sign_type signed", pairs("b=2", "sign_type=MD5", "tail=1"), mapi.UTF8, md5Of("b=2&sign_type=MD5&tail=1" + key), "with sign_type in the signed text "},
		{"sign_type signed, not given", plain, mapi.UTF8, md5Of("a=1&b=2&sign_type=MD5" + key), "with sign_type in the signed text "},
		{"empty ones signed", pairs("b=2", "a="), mapi.UTF8, md5Of("a=&b=2" + key), "with the empty parameters in the signed text "},
		{"_input_charset not given", plain, mapi.GBK, md5Of("_input_charset=gbk&a=1&b=2" + key), "with _input_charset in the signed text "},
		{"not sorted", plain, mapi.UTF8, md5Of("b=2&a=1" + key), "with the parameters in the order given "},
		{"sorted otherwise", pairs("B=1", "a=2", "_c=3"), mapi.UTF8, md5Of("_c=3&a=2&B=1" + key), "with the parameters sorted without regard to capitals "},
		{"sorted with _ last", pairs("_c=3", "b=1", "a=2"), mapi.UTF8, md5Of("a=2&b=1&_c=3" + key), "with the parameters sorted with _ behind all letters "},
		{"& before the key", plain, mapi.UTF8, md5Of("a=1&b=2&" + key), "with an & behind the last parameter "},
		{"&key= before the key", plain, mapi.UTF8, md5Of("a=1&b=2&key=" + key), "with &key= before the key "},
		{"key with its line end", plain, mapi.UTF8, md5Of("a=1&b=2" + key + "\n"), "with a line end behind the key "},
		{"key with CR LF", plain, mapi.UTF8, md5Of("a=1&b=2" + key + "\r\n"), "with a CR and a line end behind the key "},
		{"key first", plain, mapi.UTF8, md5Of(key + "a=1&b=2"), "with the key before the text "},
		{"no key", plain, mapi.UTF8, md5Of("a=1&b=2"), "with no key "},
		{"one too much", plain, mapi.UTF8, md5Of("a=1" + key), `with parameter "b" left out `},

		{"shell in gbk", pairs("a=" + gbk("支付")), mapi.GBK, md5Of("a=" + gbk("支付") + key), "with the values' bytes taken for gbk "},
		{"shell in gbk, by chance UTF-8", pairs("a=" + gbk("支")), mapi.GBK, md5Of("a=" + gbk("支") + key), "with the values' bytes taken for gbk "},
		{"gbk that is UTF-8 by chance", pairs("a=支"), mapi.UTF8, md5Of("a=" + gbk("支") + key), "with charset gbk "},
		{"UTF-8 read as gbk", pairs("a=寮犱笁"), mapi.UTF8, md5Of("a=张三" + key), "with the values' bytes taken for utf-8 "},
		{"UTF-8 read as Latin-1", pairs("a=\u00e5\u00bc\u00a0"), mapi.UTF8, md5Of("a=张" + key), "with the values' bytes taken for utf-8 "},
		{"gbk read as Latin-1", pairs("a=\u00d5\u00c5"), mapi.GBK, md5Of("a=" + gbk("张") + key), "with the values' bytes taken for gbk "},
		{"signed as Latin-1", pairs("a=张三"), mapi.UTF8, md5Of("a=??" + key), "with ? for each character beyond ASCII "},
		{"given encoded", pairs("a=x%40y%2Bz+w"), mapi.UTF8, md5Of("a=x@y+z w" + key), "with the values percent-decoded "},
		{"given encoded, + kept", pairs("a=x%40y+z"), mapi.UTF8, md5Of("a=x@y+z" + key), "with the values percent-decoded "},
		{"given encoded in gbk", pairs("a=%D5%C5"), mapi.GBK, md5Of("a=" + gbk("张") + key), "with the values percent-decoded "},
		{"signed encoded", pairs("a=x@y z"), mapi.UTF8, md5Of("a=x%40y+z" + key), "with the values percent-encoded "},
		{"signed encoded, small digits", pairs("a=张:z"), mapi.UTF8, md5Of("a=%e5%bc%a0%3az" + key), "with the values percent-encoded "},
		{"signed encoded, %20", pairs("a=x@y z"), mapi.UTF8, md5Of("a=x%40y%20z" + key), "with the values percent-encoded "},
		{"signed encoded, %20, small digits", pairs("a=张 :"), mapi.UTF8, md5Of("a=%e5%bc%a0%20%3a" + key), "with the values percent-encoded "},
		{"signed encoded by Java", pairs("a=*~@"), mapi.UTF8, md5Of("a=*%7E%40" + key), "with the values percent-encoded "},
		{"signed encoded for a path", pairs("a=x@y z/"), mapi.UTF8, md5Of("a=x@y%20z%2F" + key), "with the values percent-encoded "},
		{"signed encoded in gbk", pairs("a=张"), mapi.GBK, md5Of("a=%D5%C5" + key), "with the values percent-encoded "},
		{"given escaped", pairs("a=x&amp;y&lt;"), mapi.UTF8, md5Of("a=x&y<" + key), "with & for &amp; in the values "},
		{"signed escaped", pairs("a=x&y'"), mapi.UTF8, md5Of("a=x&amp;y&apos;" + key), "with &amp; for & in the values "},
		{"signed escaped for HTML", pairs("a=x&y'"), mapi.UTF8, md5Of("a=x&amp;y&#39;" + key), "with &amp; for & in the values "},
		{"blanks around", pairs("a= 1", "b=2\n"), mapi.UTF8, md5Of("a=1&b=2" + key), "with the values without white space around them "},
		{"value from a form", pairs("a=x+y"), mapi.UTF8, md5Of("a=x y" + key), "with a blank for each + in the values "},
		{"+ lost in a value", pairs("a=x y"), mapi.UTF8, md5Of("a=x+y" + key), "with a + for each blank in the values "},
		{"CR LF signed", pairs("a=x\ny"), mapi.UTF8, md5Of("a=x\r\ny" + key), "with CR and line feed at the ends of lines "},
		{"LF signed", pairs("a=x\r\ny"), mapi.UTF8, md5Of("a=x\ny" + key), "with line feeds at the ends of lines "},

		{"two at once", pairs("a=x%40y"), mapi.UTF8, strings.ToUpper(md5Of("a=x@y" + key)), "with the sign in small letters and the values percent-decoded "},
		{"two at once, charset first", pairs("a=%D5%C5"), mapi.UTF8, md5Of("a=" + gbk("张") + key), "with charset gbk and the values percent-decoded "},
		{"three at once", pairs("a=x%40y", "b=", "c=1"), mapi.UTF8, strings.ToUpper(md5Of("a=x@y&b=&c=1" + key)), ""},
		{"not an MD5 sign", plain, mapi.UTF8, strings.Repeat("A", 344), "an MD5 sign has 32 hexadecimal digits, this one 344 characters"},
	}
	verifier := md5Key(t).Verifier()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mapi.Diagnose(tt.params, verifier, tt.cs, tt.sign)
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if strings.HasPrefix(got, "with ") && !strings.Contains(got, "it would verify") {
				t.Errorf("no sentence: %q", got)
			}
			if strings.Contains(got, key) || tt.sign != "" && strings.Contains(got, tt.sign) || strings.Contains(got, "x@y") {
				t.Errorf("shows too much: %q", got)
			}
			if err := verifier.Verify(tt.params, tt.cs, tt.sign); err == nil && got != "" && !strings.HasPrefix(got, "with sign_type=") {
				t.Errorf("a right sign gets %q", got)
			}
		})
	}
}

func TestDiagnoseRSA(t *testing.T) {
	keyOf := func(st mapi.SignType) mapi.Key {
		key, err := mapi.ParseKey(st, readKey(t, "rsa_pkcs1.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	rsa, rsa2 := keyOf(mapi.RSA), keyOf(mapi.RSA2)
	// signed has a signature with the characters that the mistakes change: a + and a /.
	signed := func(key mapi.Key) (mapi.Params, string) {
		for i := range 100 {
			p := pairs("n="+strings.Repeat("x", i), "a=1")
			sign, err := key.Sign(p, mapi.UTF8)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(sign, "+") && strings.Contains(sign, "/") && strings.HasSuffix(sign, "=") {
				return p, sign
			}
		}
		t.Fatal("no sign with + and / and =")
		return nil, ""
	}
	p, sign := signed(rsa)
	_, sign2 := signed(rsa2)
	p2, _ := signed(rsa2)
	raw, err := base64.StdEncoding.DecodeString(sign)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		params mapi.Params
		with   mapi.Key
		sign   string
		want   string
	}{
		{"right", p, rsa, sign, ""},
		{"hopeless", pairs("a=2"), rsa, sign, ""},
		{"RSA as RSA2", p, rsa2, sign, "with sign type RSA "},
		{"RSA2 as RSA", p2, rsa, sign2, "with sign type RSA2 "},
		{"+ is a blank", p, rsa, strings.ReplaceAll(sign, "+", " "), "with + for each blank in the sign "},
		{"encoded", p, rsa, strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(sign), "with the sign percent-decoded "},
		{"line breaks", p, rsa, sign[:76] + "\n" + sign[76:] + "\n", "with the blanks and line breaks in the sign left out "},
		{"base64url", p, rsa, strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(sign), "with the sign in standard base64 "},
		{"unpadded", p, rsa, strings.TrimRight(sign, "="), "with the sign in standard base64 "},
		{"hexadecimal", p, rsa, hex.EncodeToString(raw), "with the sign in base64 "},
		{"+ is a blank, and RSA2", p2, rsa, strings.ReplaceAll(sign2, "+", " "), "with sign type RSA2 and + for each blank in the sign "},
		{"sign_type of another kind", append(pairs("sign_type=DSA"), p...), rsa, sign, "with sign_type=RSA "},
		{"an MD5 sign", p, rsa, md5Of("a"), "the sign has 32 hexadecimal digits: it is an MD5 sign"},
		{"cut off", p, rsa, sign[:100], "the sign has 75 bytes, those of this key have 128"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mapi.Diagnose(tt.params, tt.with.Verifier(), mapi.UTF8, tt.sign)
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDiagnoseDSA(t *testing.T) {
	key, err := mapi.ParseKey(mapi.DSA, readKey(t, "dsa_old.pem"))
	if err != nil {
		t.Fatal(err)
	}
	sign, err := key.Sign(pairs("a=1"), mapi.UTF8)
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{"a=1": "", "a= 1": "with the values without white space around them ", "a=2": ""} {
		if got := mapi.Diagnose(pairs(given), key.Verifier(), mapi.UTF8, sign); want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q", given, got)
		}
	}
}

func TestDiagnoseAnswer(t *testing.T) {
	const fields = "<is_success>T</is_success><error/><charge_agent>\nT\n</charge_agent><refund_charge>F</refund_charge>"
	tests := []struct{ name, inner, want string }{
		{"unsigned", fields, ""},
		{"right", fields + "<sign>" + md5Of("charge_agent=\nT\n&refund_charge=F"+md5Secret) + "</sign>", ""},
		{"white space not signed", fields + "<sign>" + md5Of("charge_agent=T&refund_charge=F"+md5Secret) + "</sign>",
			"with the values without white space around them "},
		{"is_success signed", fields + "<sign>" + md5Of("charge_agent=\nT\n&is_success=T&refund_charge=F"+md5Secret) + "</sign>",
			"with is_success in the signed text "},
		{"is_success and error signed", strings.Replace(fields, "<error/>", "<error>E</error>", 1) + "<sign>" +
			md5Of("charge_agent=\nT\n&error=E&is_success=T&refund_charge=F"+md5Secret) + "</sign>", "with is_success and error in the signed text "},
		{"sign on a line of its own", fields + "<sign>\n" + md5Of("charge_agent=\nT\n&refund_charge=F"+md5Secret) + "\n</sign>",
			"with the blanks and line breaks in the sign left out "},
		{"sign_type", fields + "<sign_type>RSA</sign_type><sign>" + md5Of("charge_agent=\nT\n&refund_charge=F"+md5Secret) + "</sign>",
			"with sign_type=MD5 "},
		{"hopeless", fields + "<sign>" + md5Of("x") + "</sign>", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := mapi.ParseAnswer([]byte("<alipay>" + tt.inner + "</alipay>"))
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Diagnose(md5Key(t).Verifier(), mapi.UTF8); tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDiagnoseIsBounded(t *testing.T) {
	sign := md5Of("x")
	if got := mapi.Diagnose(pairs("a=1"), mapi.Verifier{}, mapi.UTF8, sign); got != "" {
		t.Errorf("no key: %q", got)
	}
	long := pairs("a= " + strings.Repeat("x", 64<<10))
	if got := mapi.Diagnose(long, md5Key(t).Verifier(), mapi.UTF8, md5Of("a="+long[0].Value[1:]+md5Secret)); got != "" {
		t.Errorf("too long: %q", got)
	}
	fits := pairs("a= " + strings.Repeat("x", 60<<10))
	if got := mapi.Diagnose(fits, md5Key(t).Verifier(), mapi.UTF8, md5Of("a="+fits[0].Value[1:]+md5Secret)); got == "" {
		t.Error("one that fits is not tried")
	}
}
