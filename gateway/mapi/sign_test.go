// Signing and verifying beyond the vectors: refusals, and the spellings of a DSA signature.

package mapi_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

func TestSigned(t *testing.T) {
	p := append(query(), mapi.Param{Name: "sign", Value: "old"}, mapi.Param{Name: "sign_type", Value: "RSA"})
	before := slices.Clone(p)
	signed, err := md5Key(t).Signed(p, mapi.UTF8)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p, before) {
		t.Error("Signed changed what it was given")
	}
	if len(signed) != len(p) || signed.Get("sign_type") != "MD5" || signed.Get("sign") == "old" {
		t.Errorf("got %v", signed)
	}
	if err := md5Key(t).Verifier().Verify(signed, mapi.UTF8, signed.Get("sign")); err != nil {
		t.Error(err)
	}
}

// Form is Signed and Body, and does not change its input.
func TestForm(t *testing.T) {
	p := append(query(), mapi.Param{Name: "sign", Value: "old"}, mapi.Param{Name: "a", Value: "机 票"}, mapi.Param{Name: "empty"})
	before := slices.Clone(p)
	for _, cs := range []mapi.Charset{mapi.UTF8, mapi.GBK} {
		signed, err := md5Key(t).Signed(p, cs)
		if err != nil {
			t.Fatal(err)
		}
		want, err := signed.Body(cs)
		if err != nil {
			t.Fatal(err)
		}
		sent, body, err := md5Key(t).Form(p, cs)
		if err != nil || body != want || !slices.Equal(p, before) {
			t.Errorf("%s: %s, %v; want %s", cs, body, err, want)
		}
		if again, err := sent.Body(cs); err != nil || again != body {
			t.Errorf("%s: its parameters are those of %s", cs, again)
		}
	}
	if _, _, err := md5Key(t).Form(append(p, p[0]), mapi.UTF8); err == nil {
		t.Error("a parameter that is there twice was signed")
	}
}

func TestZeroKeys(t *testing.T) {
	if _, _, err := (mapi.Key{}).Form(query(), mapi.UTF8); err == nil {
		t.Error("the zero key signs a form")
	}
	if _, err := (mapi.Key{}).Signed(query(), mapi.UTF8); err == nil {
		t.Error("the zero key signs")
	}
	if !(mapi.Key{}).Verifier().IsZero() {
		t.Error("the zero key gives a verifier")
	}
	if err := (mapi.Verifier{}).Verify(query(), mapi.UTF8, ""); !errors.Is(err, mapi.ErrBadSign) {
		t.Errorf("the zero verifier says %v", err)
	}
	if _, err := mapi.NewMD5Key(""); err == nil {
		t.Error("an empty key was taken")
	}
}

func TestSpellingsRefused(t *testing.T) {
	md5, err := md5Key(t).Sign(query(), mapi.UTF8)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := mapi.ParseKey(mapi.RSA, readKey(t, "rsa_pkcs1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	rsa, err := rsaKey.Sign(query(), mapi.UTF8)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key  mapi.Key
		sign string
	}{
		"MD5 in capitals":      {md5Key(t), strings.ToUpper(md5)},
		"MD5 cut":              {md5Key(t), md5[:31]},
		"MD5 with a space":     {md5Key(t), md5 + " "},
		"MD5 empty":            {md5Key(t), ""},
		"RSA with line break":  {rsaKey, rsa[:64] + "\n" + rsa[64:]},
		"RSA without padding":  {rsaKey, strings.TrimRight(rsa, "=")},
		"RSA with stray bits":  {rsaKey, stray(t, rsa)},
		"RSA for URLs":         {rsaKey, strings.NewReplacer("+", "-", "/", "_").Replace(rsa) + "-"},
		"RSA with plus lost":   {rsaKey, strings.ReplaceAll(rsa+"+", "+", " ")},
		"RSA of another":       {rsaKey, base64.StdEncoding.EncodeToString(make([]byte, 128))},
		"RSA empty":            {rsaKey, ""},
		"RSA given as its MD5": {rsaKey, md5},
	} {
		if err := tt.key.Verifier().Verify(query(), mapi.UTF8, tt.sign); !errors.Is(err, mapi.ErrBadSign) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	repeated := append(query(), query()[0])
	if err := md5Key(t).Verifier().Verify(repeated, mapi.UTF8, md5); !errors.Is(err, mapi.ErrBadSign) {
		t.Errorf("repeated parameter: error %v", err)
	}
}

// stray changes a bit of the last digit. Of that digit base64 uses four bits for 128 bytes; this is
// another one, which a careless decoder ignores.
func stray(t *testing.T, sign string) string {
	t.Helper()
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := len(sign) - 2
	changed := sign[:last] + string(digits[strings.IndexByte(digits, sign[last])^1]) + "="
	want, _ := base64.StdEncoding.DecodeString(sign)
	got, err := base64.StdEncoding.DecodeString(changed)
	if err != nil || !slices.Equal(got, want) || changed == sign {
		t.Fatalf("%s is not another spelling of %s", changed, sign)
	}
	return changed
}

func TestDSASpellings(t *testing.T) {
	var v vector
	for _, v = range loadVectors(t) {
		if v.SignP1363Base64 != "" {
			break
		}
	}
	if v.SignP1363Base64 == "" {
		t.Fatal("no vector with the spellings of a DSA sign")
	}
	der, err := base64.StdEncoding.DecodeString(v.SignDERBase64)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(v.SignP1363Base64)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	verifier := v.key(t).Verifier()
	for name, sign := range map[string]string{
		"underscores and capitals": "H" + v.SignP1363Underscored[2:],
		"underscore at the end":    v.SignP1363Underscored + "_",
		"underscore before digit":  "_1" + v.SignP1363Underscored,
		"DER with a tail":          encode(append(slices.Clone(der), 0)),
		"DER with a third number":  encode(append(append([]byte{0x30, der[1] + 3}, der[2:]...), 2, 1, 0)),
		"DER with long length":     encode(append([]byte{0x30, 0x81}, der[1:]...)),
		"raw one short":            encode(raw[:39]),
		"raw zeros":                encode(make([]byte, 40)),
		"raw ones":                 encode(slices.Repeat([]byte{0xFF}, 40)),
		"DER zeros":                encode([]byte{0x30, 6, 2, 1, 0, 2, 1, 0}),
		"DER negative":             encode([]byte{0x30, 6, 2, 1, 0xFF, 2, 1, 0xFF}),
		"swapped":                  encode(append(slices.Clone(raw[20:]), raw[:20]...)),
		"empty":                    "",
	} {
		if err := verifier.Verify(v.params(), mapi.UTF8, sign); !errors.Is(err, mapi.ErrBadSign) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestDSASignsDiffer(t *testing.T) {
	key, err := mapi.ParseKey(mapi.DSA, readKey(t, "dsa_old.pem"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 8 {
		sign, err := key.Sign(query(), mapi.UTF8)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Verifier().Verify(query(), mapi.UTF8, sign); err != nil || seen[sign] {
			t.Fatalf("verified with %v, seen before %v", err, seen[sign])
		}
		seen[sign] = true
	}
}

func TestDecodeSign(t *testing.T) {
	if raw, err := mapi.DecodeSign(mapi.MD5, "bbd13b52823b576291595f472ebcfbc2"); err != nil || len(raw) != 16 {
		t.Errorf("MD5: %x, %v", raw, err)
	}
	for _, sign := range []string{"", "BBD13B52823B576291595F472EBCFBC2", "bb", "zz"} {
		if _, err := mapi.DecodeSign(mapi.MD5, sign); err == nil {
			t.Errorf("MD5 %q was taken", sign)
		}
	}
}

func TestParseSignType(t *testing.T) {
	for _, s := range []string{"MD5", "RSA", "RSA2", "DSA"} {
		if got, err := mapi.ParseSignType(s); err != nil || string(got) != s {
			t.Errorf("%s: %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "md5", "RSA ", "HMAC"} {
		if got, err := mapi.ParseSignType(s); err == nil || got != "" {
			t.Errorf("%q: %s, %v", s, got, err)
		}
	}
}
