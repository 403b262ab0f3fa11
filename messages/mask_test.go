// Masks never show more than they should.

package messages_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"protocolq/messages"
)

func TestMaskEmail(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"alice@bank.com":           "a***@b***.com",
		"alice@mail.example.co.uk": "a***@m***.uk",
		" alice@bank.com ":         "a***@b***.com",
		"张三@example.com":           "张***@e***.com",
		"a@b.cn":                   "a***@b***.cn",
		"13800138000":              "1***",
		"+86-13800138000":          "+***",
		"alice":                    "a***",
		"alice@localhost":          "a***@l***",
		"alice@host.of-zhang-san":  "a***@h***",
		"alice@10.1.2.3":           "a***@1***",
		"a@b@c.com":                "a***@c***.com",
		"@bank.com":                "***@b***.com",
		"alice@":                   "a***@***",
		"@":                        "***@***",
		"alice@.com":               "a***@.***",
		"\x1b[31m@bank.com":        "****@b***.com",
		"\xff\xfe@bank.com":        "****@b***.com",
		"\u202ealice@bank.com":     "****@b***.com",
		"a\nb@c\r\nd.com":          "a***@c***.com",
		"🙂x@bank.com":              "🙂***@b***.com",
	} {
		if got := messages.MaskEmail(in); got != want {
			t.Errorf("MaskEmail(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMaskAccount(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"20881234567890121234": "2088****1234",
		"2088123456789012":     "2088****9012",
		"208812345678":         "2088****5678",
		"20881234567":          "****",
		"1":                    "****",
		"alice@bank.com.cn":    "****",
		"２０８８１２３４５６７８":         "****",
		"208812345678901\n":    "****",
	} {
		if got := messages.MaskAccount(in); got != want {
			t.Errorf("MaskAccount(%q) = %q, want %q", in, got, want)
		}
	}
}

// For any input, a mask is short, shows no more than a few characters, and is printable.
func FuzzMask(f *testing.F) {
	seeds := []string{"alice@bank.com", "张三@example.com", "13800138000", "20881234567890121234", "a@\x00.b", "\xff@\xff.\xff", "@@@@", "a@b.c.d.e"}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		login, account := messages.MaskEmail(s), messages.MaskAccount(s)
		if !utf8.ValidString(login) || len(login) > 24 || strings.ContainsFunc(login, func(r rune) bool { return r < ' ' }) {
			t.Errorf("MaskEmail(%q) = %q", s, login)
		}
		if len(s) > 12 && login == s || len(s) > 4 && account == s {
			t.Errorf("%q is not masked: %q, %q", s, login, account)
		}
	})
}
