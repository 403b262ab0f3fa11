// Answers with a signature, without one, and with one that does not cover them.

package mapi_test

import (
	"errors"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

// signOf signs name=value pairs, given alternately.
func signOf(t *testing.T, cs mapi.Charset, pairs ...string) string {
	t.Helper()
	var p mapi.Params
	for i := 0; i < len(pairs); i += 2 {
		p = append(p, mapi.Param{Name: pairs[i], Value: pairs[i+1]})
	}
	sign, err := md5Key(t).Sign(p, cs)
	if err != nil {
		t.Fatal(err)
	}
	return sign
}

func TestAnswerVerify(t *testing.T) {
	flat := signOf(t, mapi.UTF8, "charge_agent", "T", "refund_charge", "F")
	wrapped := signOf(t, mapi.GBK, "name", "机票", "state", "T")
	const flatFields = "<is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>F</refund_charge>"
	const wrappedFields = "<is_success>T</is_success><request><param name=\"a\">b</param></request>" +
		"<response><w><state>T</state><name>机票</name><empty/><more><state>F</state></more></w></response>"
	sign := func(s string) string { return "<sign>" + s + "</sign><sign_type>MD5</sign_type>" }
	tests := []struct {
		name, inner string
		cs          mapi.Charset
		want        mapi.Verification
		says        string
	}{
		{"flat, no sign", flatFields, mapi.UTF8, mapi.Unsigned, ""},
		{"wrapped, no sign", wrappedFields, mapi.UTF8, mapi.Unsigned, ""},
		{"flat", flatFields + sign(flat), mapi.UTF8, mapi.Verified, ""},
		{"flat, sign type left out", flatFields + "<sign>" + flat + "</sign>", mapi.UTF8, mapi.Verified, ""},
		{"flat, changed", strings.Replace(flatFields, "F", "T", 1) + sign(flat), mapi.UTF8, mapi.Bad, "does not match"},
		{"flat, one more", flatFields + "<x>1</x>" + sign(flat), mapi.UTF8, mapi.Bad, "does not match"},
		{"flat, error is outside", "<error>E</error>" + flatFields + sign(flat), mapi.UTF8, mapi.Verified, ""},
		{"wrapped, in gbk", wrappedFields + sign(wrapped), mapi.GBK, mapi.Verified, ""},
		{"wrapped, in utf-8", wrappedFields + sign(wrapped), mapi.UTF8, mapi.Bad, "does not match"},
		{"wrapped, field beside", wrappedFields + "<charge_agent>T</charge_agent>" + sign(wrapped), mapi.GBK, mapi.Bad, "outside of what is signed"},
		{"wrapped, changed", strings.Replace(wrappedFields, "<state>T", "<state>F", 1) + sign(wrapped), mapi.GBK, mapi.Bad, "does not match"},
		{"empty sign", flatFields + sign(""), mapi.UTF8, mapi.Bad, "does not match"},
		{"other sign type", flatFields + "<sign>" + flat + "</sign><sign_type>RSA</sign_type>", mapi.UTF8, mapi.Bad, `sign_type is "RSA"`},
		{"not in the charset", strings.Replace(flatFields, "F", "镕", 1) + sign(flat), mapi.GB2312, mapi.Bad, "U+9555"},
		{"no charset", flatFields + sign(flat), mapi.Charset{}, mapi.Bad, "no charset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := mapi.ParseAnswer([]byte("<alipay>" + tt.inner + "</alipay>"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Verify(md5Key(t).Verifier(), tt.cs)
			if got != tt.want || (err != nil) != (got == mapi.Bad) {
				t.Fatalf("got %s, %v, want %s", got, err, tt.want)
			}
			if got == mapi.Bad && (!errors.Is(err, mapi.ErrBadSign) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
		})
	}
}

func TestAnswerVerifyWithoutKey(t *testing.T) {
	signed, err := mapi.ParseAnswer([]byte("<alipay><is_success>T</is_success><sign>x</sign><sign_type>MD5</sign_type></alipay>"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := signed.Verify(mapi.Verifier{}, mapi.UTF8); got != mapi.Bad || !errors.Is(err, mapi.ErrBadSign) || !strings.Contains(err.Error(), "no key") {
		t.Errorf("signed: %s, %v", got, err)
	}
	if got, err := (mapi.Answer{}).Verify(mapi.Verifier{}, mapi.UTF8); got != mapi.Unsigned || err != nil {
		t.Errorf("zero answer: %s, %v", got, err)
	}
}
