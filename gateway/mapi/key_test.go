// Keys in every form, the faults of the others, and that no key is shown.

package mapi_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

// bare removes the titles from a PEM file.
func bare(tb testing.TB, name string, lineBreaks bool) []byte {
	tb.Helper()
	var lines []string
	for line := range strings.Lines(string(readKey(tb, name))) {
		if !strings.HasPrefix(line, "-----") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if lineBreaks {
		return []byte(strings.Join(lines, "\r\n") + "\r\n")
	}
	return []byte(strings.Join(lines, ""))
}

// retitled returns the key under another PEM title.
func retitled(tb testing.TB, name, title string) []byte {
	tb.Helper()
	block, _ := pem.Decode(readKey(tb, name))
	return pem.EncodeToMemory(&pem.Block{Type: title, Bytes: block.Bytes})
}

func TestKeyForms(t *testing.T) {
	rsa := map[string][]byte{
		"PKCS#1 PEM":          readKey(t, "rsa_pkcs1.pem"),
		"PKCS#8 PEM":          readKey(t, "rsa_pkcs8.pem"),
		"PKCS#8 bare":         bare(t, "rsa_pkcs8.pem", false),
		"PKCS#8 bare, lines":  bare(t, "rsa_pkcs8.pem", true),
		"PKCS#1 bare":         bare(t, "rsa_pkcs1.pem", false),
		"PKCS#8 as PKCS#1":    retitled(t, "rsa_pkcs8.pem", "RSA PRIVATE KEY"),
		"PEM with text ahead": append([]byte("friendly name: x\n"), readKey(t, "rsa_pkcs8.pem")...),
	}
	dsa := map[string][]byte{
		"old PEM with parameters": readKey(t, "dsa_old.pem"),
		"PKCS#8 PEM":              readKey(t, "dsa_pkcs8.pem"),
		"PKCS#8 bare":             bare(t, "dsa_pkcs8.pem", true),
	}
	rsaPublic := map[string][]byte{
		"PKIX PEM":         readKey(t, "rsa_public.pem"),
		"PKIX bare":        bare(t, "rsa_public.pem", false),
		"PKCS#1 PEM":       readKey(t, "rsa_public_pkcs1.pem"),
		"certificate":      readKey(t, "rsa_certificate.pem"),
		"certificate bare": bare(t, "rsa_certificate.pem", true),
		"chain":            append(readKey(t, "rsa_certificate.pem"), readKey(t, "rsa_certificate.pem")...),
	}
	dsaPublic := map[string][]byte{
		"PKIX PEM":  readKey(t, "dsa_public.pem"),
		"PKIX bare": bare(t, "dsa_public.pem", true),
	}
	checkForms(t, mapi.RSA, rsa, rsaPublic)
	checkForms(t, mapi.RSA2, rsa, rsaPublic)
	checkForms(t, mapi.DSA, dsa, dsaPublic)
	checkForms(t, mapi.MD5, map[string][]byte{"newline": []byte(md5Secret + "\r\n")}, map[string][]byte{"plain": []byte(md5Secret)})
}

// checkForms signs with each form of the key and verifies with each form of its other half.
func checkForms(t *testing.T, st mapi.SignType, private, public map[string][]byte) {
	for name, material := range private {
		t.Run(string(st)+"/"+name, func(t *testing.T) {
			key, err := mapi.ParseKey(st, material)
			if err != nil {
				t.Fatal(err)
			}
			if key.SignType() != st || key.IsZero() {
				t.Errorf("key says %s, %v", key.SignType(), key.IsZero())
			}
			sign, err := key.Sign(query(), mapi.GBK)
			if err != nil {
				t.Fatal(err)
			}
			for name, material := range public {
				v, err := mapi.ParseVerifier(st, material)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if err := v.Verify(query(), mapi.GBK, sign); err != nil || v.SignType() != st {
					t.Errorf("%s: %v", name, err)
				}
				if v.Verify(query(), mapi.UTF8, sign) == nil {
					t.Errorf("%s: verified in another charset", name)
				}
			}
		})
	}
}

// spoiled returns an invalid RSA key. Its first six numbers are, in number and kind, those of an
// old DSA key.
func spoiled(tb testing.TB) []byte {
	tb.Helper()
	block, _ := pem.Decode(readKey(tb, "rsa_pkcs1.pem"))
	block.Bytes[40] ^= 2
	return pem.EncodeToMemory(block)
}

// wrongKey is a file that is refused, and the text of the refusal.
type wrongKey struct {
	name     string
	signType mapi.SignType
	material []byte
	says     string
}

// TestKeysForNoSignType is the case that TestPrivateKeyForms cannot have: an unknown sign type.
func TestKeysForNoSignType(t *testing.T) {
	wrong := wrongKey{"no such type", "HMAC", readKey(t, "rsa_pkcs1.pem"), `for "HMAC" is needed`}
	key, err := mapi.ParseKey(wrong.signType, wrong.material)
	wrong.check(t, key.IsZero(), err)
	wrong = wrongKey{"DSA parameters alone", mapi.DSA, readKey(t, "dsa_old.pem"), "holds no key"}
	wrong.material = wrong.material[:bytes.Index(wrong.material, []byte("-----BEGIN DSA PRIVATE"))]
	key, err = mapi.ParseKey(wrong.signType, wrong.material)
	wrong.check(t, key.IsZero(), err)
}

func (tt wrongKey) check(t *testing.T, zero bool, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), tt.says) || !zero {
		t.Fatalf("error %v, want one that says %q", err, tt.says)
	}
	for i := 0; i+6 <= len(tt.material); i++ {
		if part := string(tt.material[i : i+6]); !strings.Contains(" PRIVATE KEY PUBLIC KEY CERTIFICATE RSA KEY", strings.TrimSpace(part)) &&
			strings.Contains(err.Error(), part) {
			t.Errorf("the error shows %q of the key: %v", part, err)
		}
	}
}

func TestKeysAreRedacted(t *testing.T) {
	rsa, err := mapi.ParseKey(mapi.RSA, readKey(t, "rsa_pkcs1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []mapi.Key{md5Key(t), rsa, {}} {
		for _, secret := range []any{key, key.Verifier(), &key} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				if got := fmt.Sprintf(verb, secret); got != "[redacted]" {
					t.Errorf("%s of %T shows %s", verb, secret, got)
				}
			}
			if got, err := json.Marshal(secret); string(got) != `"[redacted]"` || err != nil {
				t.Errorf("JSON of %T is %s, %v", secret, got, err)
			}
		}
	}
	// In an unexported field fmt cannot call methods; it must not reach the secret there, either.
	hidden := struct{ key any }{struct {
		k mapi.Key
		v mapi.Verifier
	}{md5Key(t), md5Key(t).Verifier()}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", md5Key(t), "verifier", md5Key(t).Verifier(), "in", hidden)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", md5Key(t), "verifier", md5Key(t).Verifier(), "in", hidden)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %x", hidden, hidden, hidden, hidden, hidden), log.String()} {
		if strings.Contains(text, md5Secret[:8]) || strings.Contains(text, fmt.Sprintf("%x", md5Secret[:8])) {
			t.Errorf("a secret shows in %s", text)
		}
	}
}

func TestKeysAreCompared(t *testing.T) {
	read := func(st mapi.SignType, name string) mapi.Key {
		key, err := mapi.ParseKey(st, readKey(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	other, err := mapi.NewMD5Key("other")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		a, b mapi.Key
		want bool
	}{
		{"MD5", md5Key(t), md5Key(t), true},
		{"MD5 and another", md5Key(t), other, false},
		{"RSA in two forms", read(mapi.RSA, "rsa_pkcs1.pem"), read(mapi.RSA, "rsa_pkcs8.pem"), true},
		{"RSA and RSA2", read(mapi.RSA, "rsa_pkcs1.pem"), read(mapi.RSA2, "rsa_pkcs1.pem"), false},
		{"DSA in two forms", read(mapi.DSA, "dsa_old.pem"), read(mapi.DSA, "dsa_pkcs8.pem"), true},
		{"kinds", md5Key(t), read(mapi.DSA, "dsa_old.pem"), false},
		{"none", mapi.Key{}, md5Key(t), false},
		{"none twice", mapi.Key{}, mapi.Key{}, true},
	} {
		if tt.a.Equal(tt.b) != tt.want || tt.b.Equal(tt.a) != tt.want {
			t.Errorf("%s: equal is not %v", tt.name, tt.want)
		}
	}
}
