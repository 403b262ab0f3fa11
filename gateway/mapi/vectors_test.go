// Every recorded or recomputed example, one subtest each. Other programs made them (openssl, other
// programs' test suites), never this package.

package mapi_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"protocolq/gateway/mapi"
)

type vector struct {
	Name                 string            `json:"name"`
	Kind                 string            `json:"kind"`
	SignType             mapi.SignType     `json:"sign_type"`
	Charset              string            `json:"charset"`
	Params               map[string]string `json:"params"`
	Key                  string            `json:"key_or_pem"`
	PublicPEM            string            `json:"public_pem"`
	StringToSign         string            `json:"string_to_sign"`
	StringToSignHex      string            `json:"string_to_sign_hex"`
	Sign                 string            `json:"sign"`
	SignDERBase64        string            `json:"sign_der_base64"`
	SignP1363Base64      string            `json:"sign_p1363_base64"`
	SignP1363Underscored string            `json:"sign_p1363_underscore"`
	FormBody             string            `json:"form_body"`
	DecodedBase64        string            `json:"decoded_base64"`
	DecodedHex           string            `json:"decoded_hex"`
	XML                  string            `json:"xml"`
}

func loadVectors(tb testing.TB) []vector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		tb.Fatal(err)
	}
	if len(vectors) == 0 {
		tb.Fatal("there is no vector")
	}
	return vectors
}

func TestVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			switch v.Kind {
			case "sign":
				v.checkText(t)
				v.checkSign(t)
				v.checkVerify(t, v.Sign)
			case "verify":
				v.checkText(t)
				v.checkVerify(t, v.Sign)
				for _, sign := range []string{v.SignDERBase64, v.SignP1363Base64, v.SignP1363Underscored} {
					if sign != "" {
						v.checkVerify(t, sign)
					}
				}
			case "decode_only":
				v.checkDecode(t)
			case "verify_response":
				v.checkText(t)
				v.checkResponse(t)
			default:
				t.Fatalf("unknown kind %q", v.Kind)
			}
		})
	}
}

// params are in the map's order, which is a different one every time.
func (v vector) params() (p mapi.Params) {
	for name, value := range v.Params {
		p = append(p, mapi.Param{Name: name, Value: value})
	}
	return p
}

func (v vector) charset(t *testing.T) mapi.Charset {
	t.Helper()
	cs, err := mapi.ParseCharset(v.Charset)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

// key reads the vector's key; the MD5 keys of other test suites are not 32
// letters and digits.
func (v vector) key(t *testing.T) mapi.Key {
	t.Helper()
	key, err := mapi.ParseKey(v.SignType, []byte(v.Key))
	if v.SignType == mapi.MD5 {
		key, err = mapi.NewMD5Key(v.Key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (v vector) verifiers(t *testing.T) []mapi.Verifier {
	t.Helper()
	verifiers := []mapi.Verifier{v.key(t).Verifier()}
	if v.PublicPEM != "" {
		public, err := mapi.ParseVerifier(v.SignType, []byte(v.PublicPEM))
		if err != nil {
			t.Fatal(err)
		}
		verifiers = append(verifiers, public)
	}
	return verifiers
}

func (v vector) checkText(t *testing.T) {
	t.Helper()
	text, err := v.params().StringToSign()
	if err != nil {
		t.Fatal(err)
	}
	if text != v.StringToSign {
		t.Errorf("StringToSign\n got %s\nwant %s", text, v.StringToSign)
	}
	raw, err := v.charset(t).Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(raw); got != v.StringToSignHex {
		t.Errorf("bytes to sign\n got %s\nwant %s", got, v.StringToSignHex)
	}
}

func (v vector) checkSign(t *testing.T) {
	t.Helper()
	sign, err := v.key(t).Sign(v.params(), v.charset(t))
	if err != nil {
		t.Fatal(err)
	}
	if sign != v.Sign {
		t.Errorf("Sign = %s, want %s", sign, v.Sign)
	}
	signed, err := v.key(t).Signed(v.params(), v.charset(t))
	if err != nil {
		t.Fatal(err)
	}
	body, err := signed.Body(v.charset(t))
	if err != nil {
		t.Fatal(err)
	}
	if v.FormBody == "" || body != v.FormBody {
		t.Errorf("Body\n got %s\nwant %s", body, v.FormBody)
	}
}

func (v vector) checkVerify(t *testing.T, sign string) {
	t.Helper()
	wrong := append(v.params(), mapi.Param{Name: "zz", Value: "1"})
	for i, verifier := range v.verifiers(t) {
		if err := verifier.Verify(v.params(), v.charset(t), sign); err != nil {
			t.Errorf("verifier %d, sign %s: %v", i, sign, err)
		}
		if err := verifier.Verify(wrong, v.charset(t), sign); !errors.Is(err, mapi.ErrBadSign) {
			t.Errorf("verifier %d, one parameter more: error %v, want ErrBadSign", i, err)
		}
	}
}

func (v vector) checkDecode(t *testing.T) {
	t.Helper()
	raw, err := mapi.DecodeSign(v.SignType, v.Sign)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(raw); got != v.DecodedHex {
		t.Errorf("DecodeSign = %s, want %s", got, v.DecodedHex)
	}
	if got := base64.StdEncoding.EncodeToString(raw); got != v.DecodedBase64 {
		t.Errorf("DecodeSign = %s, want %s", got, v.DecodedBase64)
	}
}

func (v vector) checkResponse(t *testing.T) {
	t.Helper()
	answer, err := mapi.ParseAnswer([]byte(v.XML))
	if err != nil {
		t.Fatal(err)
	}
	text, err := answer.Signed().StringToSign()
	if err != nil {
		t.Fatal(err)
	}
	if text != v.StringToSign {
		t.Errorf("signed text of the answer\n got %s\nwant %s", text, v.StringToSign)
	}
	for name, value := range v.Params {
		if got, ok := answer.Get(name); !ok || got != value {
			t.Errorf("Get(%q) = %q, %v, want %q", name, got, ok, value)
		}
	}
	if sign, _ := answer.Get("sign"); sign != v.Sign {
		t.Errorf("sign = %s, want %s", sign, v.Sign)
	}
	got, err := answer.Verify(v.key(t).Verifier(), v.charset(t))
	if got != mapi.Verified || err != nil {
		t.Errorf("Verify = %s, %v", got, err)
	}
}
