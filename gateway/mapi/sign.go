// Signing parameters: the sign types and the key that makes a signature.

package mapi

import (
	"crypto"
	"crypto/md5" //nolint:gosec // the gateway's own choice of digest
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// SignType is the value of sign_type, in capitals as on the wire.
type SignType string

// The sign types. RSA is SHA1withRSA, RSA2 SHA256withRSA (both PKCS #1 v1.5),
// DSA SHA1withDSA.
const (
	MD5  SignType = "MD5"
	RSA  SignType = "RSA"
	RSA2 SignType = "RSA2"
	DSA  SignType = "DSA"
)

// ParseSignType takes the four names in capitals, as the gateway does.
func ParseSignType(s string) (SignType, error) {
	switch t := SignType(s); t {
	case MD5, RSA, RSA2, DSA:
		return t, nil
	}
	return "", fmt.Errorf("sign type %q is not one of MD5, RSA, RSA2, DSA (in capitals)", clip(s))
}

// hash returns the digest that RSA and RSA2 sign.
func (t SignType) hash() crypto.Hash {
	if t == RSA2 {
		return crypto.SHA256
	}
	return crypto.SHA1
}

// signer is the private half of a Key. Every implementation is a pointer to a struct that points to
// the key. So if fmt cannot call Key's methods, in an unexported field, it shows an address
// (measured: %s follows one pointer, not two).
type signer interface {
	sign(text []byte) (string, error)
	verifier() verifier
}

// Key makes signatures. It prints as "[redacted]" in every form. The zero Key signs nothing.
type Key struct {
	signType SignType
	signer   signer
}

// SignType returns the key's sign_type.
func (k Key) SignType() SignType { return k.signType }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.signer == nil }

// Equal reports whether both are the same key of the same sign type, whatever form they were read
// from.
func (k Key) Equal(other Key) bool {
	if k.signType != other.signType {
		return false
	}
	switch own := k.signer.(type) {
	case *md5Key:
		theirs, same := other.signer.(*md5Key)
		return same && *own.secret == *theirs.secret
	case *rsaKey:
		theirs, same := other.signer.(*rsaKey)
		return same && own.key.Equal(theirs.key)
	case *dsaKey:
		theirs, same := other.signer.(*dsaKey)
		return same && own.equal(theirs)
	}
	return other.signer == nil
}

// Sign returns the signature of p with its text in the bytes of cs: for MD5 small hexadecimal
// digits, else standard base64 without line breaks. A DSA signature is the DER form in base64. No
// document says which spelling the gateway wants from a merchant, and every DSA signature of the
// same text differs.
func (k Key) Sign(p Params, cs Charset) (string, error) {
	sorted, err := p.canonical()
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return k.signSorted(sorted, cs)
}

func (k Key) signSorted(sorted Params, cs Charset) (string, error) {
	if k.signer == nil {
		return "", errors.New("no key to sign with")
	}
	text, err := layOut(sorted, cs)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	sign, err := k.signer.sign(text)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", k.signType, err)
	}
	return sign, nil
}

// Signed returns a copy of p with sign and sign_type, in place of any that p had.
func (k Key) Signed(p Params, cs Charset) (Params, error) {
	sign, err := k.Sign(p, cs)
	if err != nil {
		return nil, err
	}
	signed := slices.DeleteFunc(slices.Clone(p), func(q Param) bool {
		return q.Name == ParamSign || q.Name == ParamSignType
	})
	return append(signed, Param{ParamSign, sign}, Param{ParamSignType, string(k.signType)}), nil
}

// Form returns the form body of p with its signature, see [Params.Body], and the parameters in it,
// in its order. It is Signed and Body with one sorting.
func (k Key) Form(p Params, cs Charset) (signed Params, body string, err error) {
	signed, err = p.canonical()
	if err != nil {
		return nil, "", fmt.Errorf("sign: %w", err)
	}
	sign, err := k.signSorted(signed, cs)
	if err != nil {
		return nil, "", err
	}
	signed = append(signed, Param{ParamSign, sign}, Param{ParamSignType, string(k.signType)})
	body, err = signed.form(cs)
	return signed, body, err
}

// Verifier returns what verifies the signatures of k: for MD5 the same key, else its public half.
// (The gateway signs its answers with its own key, so that only for MD5 this is the right verifier
// for them.)
func (k Key) Verifier() Verifier {
	if k.signer == nil {
		return Verifier{}
	}
	return Verifier{signType: k.signType, verifier: k.signer.verifier()}
}

type md5Key struct{ secret *string }

func (k *md5Key) sum(text []byte) string {
	digest := md5.New() //nolint:gosec // see the import
	digest.Write(text)
	digest.Write([]byte(*k.secret))
	return hex.EncodeToString(digest.Sum(nil))
}

func (k *md5Key) sign(text []byte) (string, error) { return k.sum(text), nil }

func (k *md5Key) verifier() verifier { return k }

type rsaKey struct {
	key  *rsa.PrivateKey
	hash crypto.Hash
}

func (k *rsaKey) sign(text []byte) (string, error) {
	digest := k.hash.New()
	digest.Write(text)
	sign, err := rsa.SignPKCS1v15(nil, k.key, k.hash, digest.Sum(nil))
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sign), nil
}

func (k *rsaKey) verifier() verifier { return &rsaVerifier{key: &k.key.PublicKey, hash: k.hash} }
