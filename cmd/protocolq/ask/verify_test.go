// Which charset a signature is checked in, with bytes of that charset.

package ask

import (
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

func TestCharsetOfAnswer(t *testing.T) {
	const echo = `<request><param name="_input_charset">?</param></request>`
	tests := []struct{ name, declared, echoed, want, from string }{
		{"nothing said", "", "", "utf-8", fromDefault},
		{"declared", "GBK", "", "GBK", fromEncoding},
		{"declared utf-8", "utf-8", "", "utf-8", fromEncoding},
		{"echoed", "GBK", "UTF-8", "UTF-8", fromEcho},
		{"echoed against utf-8", "utf-8", "gb2312", "gb2312", fromEcho},
		{"echoed, nothing declared", "", "gbk", "gbk", fromEcho},
		{"echoed on a line of its own", "utf-8", "\n gbk\n", "gbk", fromEcho},
		{"echoed, not a charset of requests", "gbk", "latin-1", "gbk", fromEncoding},
		{"echoed empty", "gbk", "", "gbk", fromEncoding},
		{"declared, not a charset of requests", "gb18030", "", "utf-8", fromDefault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			xml := "<alipay>" + strings.Replace(echo, "?", tt.echoed, 1) + "</alipay>"
			if tt.declared != "" {
				xml = `<?xml version="1.0" encoding="` + tt.declared + `"?>` + xml
			}
			a, err := mapi.ParseAnswer([]byte(xml))
			if err != nil {
				t.Fatal(err)
			}
			if got := charsetOfAnswer(a); got.String() != tt.want || got.from != tt.from {
				t.Errorf("got %s, %s", got, got.from)
			}
		})
	}
}

// TestVerifyAnswerInGBK checks an answer as the gateway sends it to a partner that asks in GBK:
// bytes, encoding label and signature are in GBK.
func TestVerifyAnswerInGBK(t *testing.T) {
	key, err := mapi.NewMD5Key("abcdefghijklmnopqrstuvwxyz012345")
	if err != nil {
		t.Fatal(err)
	}
	// MD5 of subject=机票&trade_status=T in GBK followed by the key, computed by another program.
	const body = "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<alipay><is_success>T</is_success><response><trade><subject>\xBB\xFA\xC6\xB1</subject>" +
		"<trade_status>T</trade_status></trade></response><sign>e34c64b09e8c9844435f91a0e4307572</sign></alipay>"
	for flag, want := range map[string]mapi.Verification{"": mapi.Verified, "gbk": mapi.Verified, "utf-8": mapi.Bad} {
		f := &verifyFlags{signFlags: signFlags{charset: flag}, xml: "-"}
		cs, err := f.charsetOf(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.verifyXML(strings.NewReader(body), key.Verifier(), cs)
		if err != nil || got.Verification != want {
			t.Errorf("--charset %q: %+v, %v", flag, got, err)
		}
	}
}
