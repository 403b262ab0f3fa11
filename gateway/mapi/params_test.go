// The canonical text and the form body, beyond the vectors.

package mapi_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

func TestStringToSign(t *testing.T) {
	tests := []struct {
		name string
		p    mapi.Params
		want string
	}{
		{"none", nil, ""},
		{"only what is left out", mapi.Params{{"sign", "x"}, {"sign_type", "MD5"}, {"a", ""}}, ""},
		{"byte order: digit, capital, underscore, small", mapi.Params{{"a", "4"}, {"_a", "3"}, {"A", "2"}, {"1", "1"}}, "1=1&A=2&_a=3&a=4"},
		{"a name before its longer kin", mapi.Params{{"ab", "2"}, {"a", "1"}, {"a_b", "3"}}, "a=1&a_b=3&ab=2"},
		{"near sign", mapi.Params{{"sign_typ", "1"}, {"Sign", "2"}, {"signs", "3"}}, "Sign=2&sign_typ=1&signs=3"},
		{"raw values", mapi.Params{{"v", "a&b=c%20+ é\n"}}, "v=a&b=c%20+ é\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.p.StringToSign()
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestParamsRefused(t *testing.T) {
	tests := []struct {
		name string
		p    mapi.Params
		says string
	}{
		{"repeated", mapi.Params{{"partner", "1"}, {"a", "2"}, {"partner", "secret"}}, `"partner" is there more than once`},
		{"repeated, one empty", mapi.Params{{"partner", "1"}, {"partner", ""}}, `"partner"`},
		{"repeated sign", mapi.Params{{"sign", "1"}, {"sign", "2"}}, `"sign"`},
		{"no name", mapi.Params{{"", "secret"}}, "has no name"},
		{"equals sign in a name", mapi.Params{{"a=b", "secret"}}, `"a=b": character 2`},
		{"ampersand in a name", mapi.Params{{"a&b", "secret"}}, `"a&b"`},
		{"space in a name", mapi.Params{{"a b", "secret"}}, `"a b"`},
		{"name not ASCII", mapi.Params{{"名", "secret"}}, "character 1"},
		{"long name", mapi.Params{{strings.Repeat("n", 1000) + "=", "secret"}}, "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.p.StringToSign()
			_, bodyErr := tt.p.Body(mapi.UTF8)
			_, signErr := md5Key(t).Sign(tt.p, mapi.UTF8)
			for _, err := range []error{err, bodyErr, signErr} {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %v, want one that says %q", err, tt.says)
				} else if strings.Contains(err.Error(), "secret") || len(err.Error()) > 200 {
					t.Errorf("error tells a value or is long: %v", err)
				}
			}
		})
	}
}

func TestBody(t *testing.T) {
	p := mapi.Params{{"sign_type", "MD5"}, {"z", "机 票"}, {"sign", "a+b/c="}, {"empty", ""}, {"A", "~*-._'"}}
	for cs, want := range map[mapi.Charset]string{
		mapi.UTF8:   "A=~%2A-._%27&z=%E6%9C%BA+%E7%A5%A8&sign=a%2Bb%2Fc%3D&sign_type=MD5",
		mapi.GBK:    "A=~%2A-._%27&z=%BB%FA+%C6%B1&sign=a%2Bb%2Fc%3D&sign_type=MD5",
		mapi.GB2312: "A=~%2A-._%27&z=%BB%FA+%C6%B1&sign=a%2Bb%2Fc%3D&sign_type=MD5",
	} {
		if got, err := p.Body(cs); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", cs, got, err, want)
		}
	}
	if len(p) != 5 || p[0].Name != "sign_type" {
		t.Error("Body changed the parameters it was given")
	}
}

// A value is written as url.QueryEscape writes it, whatever its bytes.
func TestBodyEscapes(t *testing.T) {
	for r := rune(1); r < 0x250; r++ {
		value := "a" + string(r) + "z"
		got, err := mapi.Params{{Name: "n", Value: value}}.Body(mapi.UTF8)
		if want := "n=" + url.QueryEscape(value); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", value, got, err, want)
		}
	}
}

func TestUnmappableParamIsNamed(t *testing.T) {
	p := mapi.Params{{"partner", "2088"}, {"subject", "朱镕基😀"}}
	_, bodyErr := p.Body(mapi.GB2312)
	_, signErr := md5Key(t).Sign(p, mapi.GB2312)
	for _, err := range []error{bodyErr, signErr} {
		var u *mapi.UnmappableError
		if !errors.As(err, &u) || u.Param != "subject" || u.Rune != '镕' || u.Charset != "gb2312" {
			t.Fatalf("error %v", err)
		}
		if strings.Contains(err.Error(), "朱") || !strings.Contains(err.Error(), "U+9555") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := p.Body(mapi.Charset{}); err == nil {
		t.Error("the zero charset encoded something")
	}
}

func TestGet(t *testing.T) {
	p := mapi.Params{{"a", "1"}, {"b", ""}}
	if p.Get("a") != "1" || p.Get("b") != "" || p.Get("c") != "" {
		t.Error("Get gives something else")
	}
}
