// The charsets compared with two other implementations, code by code, and at their edges.

package mapi_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"protocolq/gateway/mapi"
)

// TestEveryCode decodes all 65,536 pairs with a high first byte. The digests are of the lines "CODE
// RUNE" from GNU libc's iconv and CPython's codecs; the two agree on every line. For gb2312 both
// have U+30FB and U+2015 where this package has · and — like gbk; that was changed before
// digesting.
func TestEveryCode(t *testing.T) {
	tests := []struct {
		cs     mapi.Charset
		count  int
		digest string
	}{
		{mapi.GBK, 21791, "d55aeed95439e9ed35c97aae795ac04775568684bd3f7c74e3ccb08ebd7ab3f0"},
		{mapi.GB2312, 7445, "7e6a5fba3f75c4875a3b894463d8f32d149c44f90d2ea729b91473a182d7a5a7"},
	}
	for _, tt := range tests {
		t.Run(tt.cs.String(), func(t *testing.T) {
			digest, count := sha256.New(), 0
			mapped := map[rune]bool{}
			for code := 0x8000; code <= 0xFFFF; code++ {
				pair := []byte{byte(code >> 8), byte(code)}
				text, err := tt.cs.Decode(pair)
				if err != nil {
					continue
				}
				r, size := utf8.DecodeRuneInString(text)
				if size != len(text) {
					t.Fatalf("%04X decodes to %q", code, text)
				}
				count++
				fmt.Fprintf(digest, "%04X %04X\n", code, r)
				mapped[r] = true
				if back, err := tt.cs.Encode(text); err != nil || !bytes.Equal(back, pair) {
					t.Fatalf("%04X decodes to %q, which encodes to %X, %v", code, text, back, err)
				}
			}
			if got := fmt.Sprintf("%x", digest.Sum(nil)); count != tt.count || got != tt.digest {
				t.Errorf("%d codes, digest %s, want %d, %s", count, got, tt.count, tt.digest)
			}
			for r := rune(0x80); r <= 0x2FFFF; r++ {
				_, err := tt.cs.Encode(string(r))
				if (err == nil) != mapped[r] {
					t.Fatalf("%U: encoded with error %v, decoded %v", r, err, mapped[r])
				}
			}
		})
	}
}

func TestUnmappable(t *testing.T) {
	tests := []struct {
		cs   mapi.Charset
		text string
		want rune
	}{
		{mapi.GB2312, "a镕", '镕'},
		{mapi.GB2312, "ⅰ", 'ⅰ'},
		{mapi.GBK, "1€", '€'},
		{mapi.GBK, "😀", '😀'},
		{mapi.GBK, "ǹ", 'ǹ'},
		{mapi.GBK, "é̃ñ", '\u0303'},
		{mapi.GBK, "\x80", utf8.RuneError},
		{mapi.GBK, "\uFFFD", utf8.RuneError},
		{mapi.UTF8, "a\xFF", utf8.RuneError},
		{mapi.UTF8, "\xED\xA0\x80", utf8.RuneError},
	}
	for _, tt := range tests {
		got, err := tt.cs.Encode(tt.text)
		var u *mapi.UnmappableError
		if !errors.As(err, &u) || u.Rune != tt.want || got != nil {
			t.Errorf("%s: %q: got %X, %v, want %q unmappable", tt.cs, tt.text, got, err, tt.want)
		}
	}
}

func TestDecodeRefused(t *testing.T) {
	tests := []struct {
		name string
		cs   mapi.Charset
		b    string
	}{
		{"gbk: the vendor's euro", mapi.GBK, "\x80"},
		{"gbk: the euro of gb18030", mapi.GBK, "\xA2\xE3"},
		{"gbk: lead byte alone", mapi.GBK, "abc\xBB"},
		{"gbk: trail byte too low", mapi.GBK, "\xBB\x20"},
		{"gbk: FF", mapi.GBK, "\xFF\xFF"},
		{"gbk: four bytes of gb18030", mapi.GBK, "\x81\x30\x81\x30"},
		{"gb2312: only in gbk", mapi.GB2312, "\xE9\x46"},
		{"gb2312: empty row 10", mapi.GB2312, "\xAA\xA1"},
		{"gb2312: behind 做", mapi.GB2312, "\xD7\xFA"},
		{"gb2312: hz escapes are text, this is not", mapi.GB2312, "~{;z\xFF"},
		{"utf-8: overlong", mapi.UTF8, "\xC0\xAF"},
		{"utf-8: cut", mapi.UTF8, "\xE6\x9C"},
		{"none", mapi.Charset{}, "a"},
	}
	for _, tt := range tests {
		if got, err := tt.cs.Decode([]byte(tt.b)); err == nil || got != "" {
			t.Errorf("%s: got %q, %v", tt.name, got, err)
		}
	}
	if got, err := mapi.GB2312.Decode([]byte("~{;z~}")); err != nil || got != "~{;z~}" {
		t.Errorf("gb2312 read as HZ: %q, %v", got, err)
	}
}

func TestParseCharset(t *testing.T) {
	for _, spelling := range []string{"utf-8", "UTF-8", "Utf-8", "gbk", "GBK", "gb2312", "GB2312"} {
		if cs, err := mapi.ParseCharset(spelling); err != nil || cs.String() != spelling || cs.IsZero() {
			t.Errorf("%s: got %s, %v", spelling, cs, err)
		}
	}
	for _, spelling := range []string{"", "utf8", "utf-8 ", "gb18030", "latin1", "utf-16", strings.Repeat("x", 1000)} {
		if cs, err := mapi.ParseCharset(spelling); err == nil || !cs.IsZero() || len(err.Error()) > 200 {
			t.Errorf("%s: got %v, %v", spelling, cs, err)
		}
	}
}
