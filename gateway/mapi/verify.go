// Verifying signatures: of a parameter list, and of a whole answer.

package mapi

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrBadSign is wrapped in every error of Verify. Whatever keeps a signature from being verified,
// the parameters must not be believed.
var ErrBadSign = errors.New("sign is bad")

// errNoMatch is for a well-formed signature that is not the signature of this text and key.
var errNoMatch = errors.New("it does not match the text under this key")

// verifier is the checking half of a Verifier. Its error says what is wrong, without the signature
// and without the key.
type verifier interface {
	verify(text []byte, sign string) error
}

// Verifier verifies signatures. It prints as "[redacted]" in every form, because an MD5 verifier is
// the secret itself. The zero Verifier accepts nothing.
type Verifier struct {
	signType SignType
	verifier verifier
}

// SignType returns the sign_type that v verifies.
func (v Verifier) SignType() SignType { return v.signType }

// IsZero reports whether there is no key to verify with.
func (v Verifier) IsZero() bool { return v.verifier == nil }

// Verify verifies the signature of p, whose text was signed in the bytes of cs. It leaves out the
// sign and sign_type inside p, as signing does. It returns nil or an error for which errors.Is(err,
// ErrBadSign) holds.
func (v Verifier) Verify(p Params, cs Charset, sign string) error {
	if v.verifier == nil {
		return fmt.Errorf("%w: no key to verify with", ErrBadSign)
	}
	text, err := p.bytesToSign(cs)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSign, err)
	}
	if err := v.verifier.verify(text, sign); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSign, err)
	}
	return nil
}

// verify compares in constant time: an early end would tell a forger how much of a guess was right.
func (k *md5Key) verify(text []byte, sign string) error {
	if !hmac.Equal([]byte(k.sum(text)), []byte(sign)) {
		return errNoMatch
	}
	return nil
}

type rsaVerifier struct {
	key  *rsa.PublicKey
	hash crypto.Hash
}

func (v *rsaVerifier) verify(text []byte, sign string) error {
	raw, err := decodeBase64(sign)
	if err != nil {
		return err
	}
	digest := v.hash.New()
	digest.Write(text)
	if rsa.VerifyPKCS1v15(v.key, v.hash, digest.Sum(nil), raw) != nil {
		return errNoMatch
	}
	return nil
}

// decodeBase64 accepts only one spelling: standard, padded, without line breaks (which the decoder
// would skip) and without stray bits at the end.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("it has a line break")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("it is not standard base64: %w", err)
	}
	return raw, nil
}

// Verification says how far an answer can be believed.
type Verification string

// The three results of Answer.Verify.
const (
	Verified Verification = "verified" // it has a signature, which is right
	Unsigned Verification = "unsigned" // no signature: TLS is the only protection
	Bad      Verification = "bad"      // the answer must not be believed
)

// Verify verifies the answer's signature with cs, the _input_charset of the request. The error is
// non-nil only with Bad. It says why, and wraps ErrBadSign.
//
// The signed fields are those of Answer.Signed. An answer is also bad if its sign_type is not that
// of v, if its signature is empty, and if a wrapped answer has other fields that the signature does
// not cover.
func (a Answer) Verify(v Verifier, cs Charset) (Verification, error) {
	sign, ok := find(a.root, ParamSign)
	if !ok {
		return Unsigned, nil
	}
	if v.IsZero() {
		return Bad, fmt.Errorf("%w: no key to verify with", ErrBadSign)
	}
	if t, ok := find(a.root, ParamSignType); ok && t != string(v.signType) {
		return Bad, fmt.Errorf("%w: the answer's sign_type is %q, the key's %s", ErrBadSign, clip(t), v.signType)
	}
	if a.response != nil {
		for _, q := range a.root {
			if !aroundSigned(q.Name) {
				return Bad, fmt.Errorf("%w: field %q is outside of what is signed", ErrBadSign, clip(q.Name))
			}
		}
	}
	if err := v.Verify(a.Signed(), cs, sign); err != nil {
		return Bad, err
	}
	return Verified, nil
}

// Signed returns the fields that the answer's signature covers: those of the wrapper under response
// (measured: reproduces the signature of a recorded answer), or, in a flat answer, those under the
// root without is_success, error, sign and sign_type (inferred: no signed flat answer is known).
func (a Answer) Signed() Params {
	if a.response != nil {
		return append(Params(nil), a.response...)
	}
	var signed Params
	for _, q := range a.root {
		if !aroundSigned(q.Name) {
			signed = append(signed, q)
		}
	}
	return signed
}

// aroundSigned are fields of the root that are never signed.
func aroundSigned(name string) bool {
	switch name {
	case "is_success", "error", ParamSign, ParamSignType:
		return true
	}
	return false
}
