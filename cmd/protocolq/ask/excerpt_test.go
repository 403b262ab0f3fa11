// What call -v shows of a body that is not an answer.

package ask

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShownBody(t *testing.T) {
	const md5, rsa = "0123456789abcdef0123456789ABCDEF", "Ab+/0123456789Ab+/0123456789Ab+/0123456789Ab+/0123456789Ab+/0123456789=="
	for in, want := range map[string]string{
		"":                    "",
		"502 Bad\n\t Gateway": "502 Bad Gateway",
		"错误代码 ILLEGAL_SIGN, sign is wrong":                            "错误代码 ILLEGAL_SIGN, sign is wrong",
		"\x1b[2J\u202egnorw\x00\xff":                                  `\x1b[2J\u202egnorw\x00\xff`,
		"no account alice@mail.example.com":                           "no account a***@m***.com",
		"user_email=alice%40mail.example.com&sign_type=MD5":           "user_email=a***@m***=MD5",
		"<user_email>alice&#64;mail.example.com</user_email>":         "<user_email>a***@m***.com</user_email>",
		`{"user_email":"alice\u0040mail.example.com"}`:                `{"user_email":"a***@m***.com"}`,
		"user_email=alice%2540mail.example.com":                       "user_email=a***@m***.com",
		"user_email=13812345678":                                      "user_email=****",
		"partner=2088000000000001&trans_account=20881234567890120156": "partner=2088****0001&trans_account=2088****0156",
		"sign=" + md5 + "&sign_type=MD5":                              "sign=****&sign_type=MD5",
		"sign=Ab%2B%2F01234567%3D&x":                                  "sign=****&x",
		"sign%3D" + md5:                                               "sign%3D****",
		"<sign>" + rsa + "</sign>":                                    "<sign>****</sign>",
		`<param name="sign">Ab+/0123==</param>`:                       `<param name="sign">****</param>`,
		`<input name="sign" value="Ab+/0123==">`:                      `<input name="sign" value="****">`,
		`{"sign":"Ab+/0123==","sign_type":"RSA"}`:                     `{"sign":"****","sign_type":"RSA"}`,
		"calculated " + md5:                                           "calculated ****",
		"calculated " + rsa + " here":                                 "calculated **** here",
		strings.Repeat("\x00", 101):                                   strings.Repeat(`\x00`, 50) + "…",
		strings.Repeat("界", 200):                                      strings.Repeat("界", 200),
		strings.Repeat("界", 201):                                      strings.Repeat("界", 200) + "…",
		strings.Repeat("x ", 97) + "alice@mail.example.com more":      strings.Repeat("x ", 97) + "a***@m…",
	} {
		got := shownBody(in)
		if got != want {
			t.Errorf("%q\n  is shown as %q\n        want %q", in, got, want)
		}
		if !utf8.ValidString(got) {
			t.Errorf("%q is no text", got)
		}
	}
}
