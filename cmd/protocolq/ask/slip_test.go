// Which parameters look like slips, and which only might.

package ask

import (
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

func inGBK(t *testing.T, text string) string {
	t.Helper()
	b, err := mapi.GBK.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLooksGBK(t *testing.T) {
	for _, text := range []string{"张三", "支", "支付", "a支b", "朱镕基", "机票代扣", "，张"} {
		if !looksGBK(inGBK(t, text)) {
			t.Errorf("%s in gbk does not look like it", text)
		}
		if looksGBK(text) {
			t.Errorf("%s in utf-8 looks like gbk", text)
		}
	}
	for _, text := range []string{"", "plain", "Muñoz", "señor", "Ærø", "Жуков", "Ђорђе", "Ωμέγα", "안녕", "😀", "かな", "\xFF\xFE", "€", "\uFFFD"} {
		if looksGBK(text) {
			t.Errorf("%q looks like gbk", text)
		}
	}
}

func TestSlips(t *testing.T) {
	flag, param := charsetChoice{mapi.GBK, fromFlag}, charsetChoice{mapi.GBK, fromParam}
	tests := []struct {
		name string
		args []string
		cs   charsetChoice
		want []string // what each warning begins with
	}{
		{"none", []string{"a=1", "user_email=a+b@example.com", "rate=50%", "q=x&y", "notify_url=http://a.example/?b=1&c=2", "b=", "c=张三"}, param, nil},
		{"percent", []string{"user_email=a%40example.com", "b=1", "c=%d5%c5"}, param, []string{"user_email, c looks percent-encoded"}},
		{"escaped", []string{"a=x&amp;y", "b=&#26426;", "c=&copy"}, param, []string{"a, b looks escaped"}},
		{"white space", []string{"a= 1", "b=1\n", "c=1 2"}, param, []string{"a, b has white space"}},
		{"quotes", []string{`partner="2088000000000001"`, "b='x'", `c="`, `d="x" y`, `e=""`}, param, []string{"partner, b, e has quotes"}},
		{"pasted", []string{"a=1&b=2&sign=3"}, param, []string{"a holds what looks like more parameters"}},
		{"many", []string{"a= ", "b= ", "c= ", "d= ", "e= ", "f= "}, param, []string{"a, b, c, d (and 2 more) has white space"}},
		{"gbk", []string{"a=" + inGBK(t, "支")}, param, []string{"a is in bytes that look like GBK"}},
		{"sign", []string{"a=1", "sign=x%40", "sign_type=MD5"}, param, []string{"sign is given", "sign_type is given"}},
		{"no sign", []string{"a=1", "sign=", "sign_type="}, param, nil},
		{"charsets", []string{"_input_charset=utf-8", "a=张"}, flag, []string{"--charset is gbk and _input_charset utf-8"}},
		{"charsets, ASCII", []string{"_input_charset=utf-8", "a=x"}, flag, nil},
		{"charsets, alike", []string{"_input_charset=GBK", "a=张"}, flag, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			params, err := parseParams(tt.args)
			if err != nil {
				t.Fatal(err)
			}
			got := slips(params, mapi.MD5, tt.cs)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q", got)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
				if strings.Contains(got[i], "example") {
					t.Errorf("shows a value: %q", got[i])
				}
			}
		})
	}
}
