// Reading keys from files of every form that merchants have them in.

package mapi

import (
	"bytes"
	"crypto/dsa" //nolint:staticcheck // one of the gateway's own sign types
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// RSA sizes in bits. 1024 is what the gateway owner's key page has merchants
// make; below it Go refuses to sign. The upper bound keeps one verification
// from taking long.
const rsaMinBits, rsaMaxBits = 1024, 8192

// ParseKey reads a signing key. For MD5 the material is 32 letters and digits;
// for the others a private key as PEM or as bare base64, in PKCS #8 or in the
// older form of its kind (PKCS #1, OpenSSL's DSA form). What is inside counts,
// not what the PEM's title says. White space around the key is left out; an
// error says what is wrong and shows nothing of the key.
func ParseKey(t SignType, material []byte) (Key, error) {
	key, err := parseKey(t, bytes.TrimSpace(material))
	if err != nil {
		return Key{}, fmt.Errorf("%s key: %w", t, err)
	}
	return Key{signType: t, signer: key}, nil
}

// NewMD5Key takes any MD5 key that is not empty, for services and test suites
// whose keys are not of the shape that ParseKey holds a merchant's key to.
func NewMD5Key(secret string) (Key, error) {
	if secret == "" {
		return Key{}, errors.New("MD5 key: it is empty")
	}
	return Key{signType: MD5, signer: &md5Key{&secret}}, nil
}

// ParseVerifier reads what checks signs: for MD5 the key, as ParseKey does; for
// the others a public key in PKIX or PKCS #1 form or a certificate, as PEM or as
// bare base64.
func ParseVerifier(t SignType, material []byte) (Verifier, error) {
	v, err := parseVerifier(t, bytes.TrimSpace(material))
	if err != nil {
		return Verifier{}, fmt.Errorf("%s verification key: %w", t, err)
	}
	return Verifier{signType: t, verifier: v}, nil
}

func parseKey(t SignType, material []byte) (signer, error) {
	if t == MD5 {
		return parseMD5(material)
	}
	der, err := keyBytes(material)
	if err != nil {
		return nil, err
	}
	key := privateKey(der)
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if err := wantsRSA(t, k.N.BitLen()); err != nil {
			return nil, err
		}
		return &rsaKey{key: k, hash: t.hash()}, nil
	case *dsa.PrivateKey:
		if err := wantsDSA(t, &k.PublicKey); err != nil {
			return nil, err
		}
		return newDSAKey(k)
	case nil:
		if publicKey(der) != nil {
			return nil, errors.New("this is a public key or certificate, the private key is needed")
		}
		return nil, errors.New("it is no private key in PKCS #1, PKCS #8 or the old DSA form")
	default:
		return nil, errOtherKind
	}
}

func parseVerifier(t SignType, material []byte) (verifier, error) {
	if t == MD5 {
		return parseMD5(material)
	}
	der, err := keyBytes(material)
	if err != nil {
		return nil, err
	}
	key := publicKey(der)
	switch k := key.(type) {
	case *rsa.PublicKey:
		if err := wantsRSA(t, k.N.BitLen()); err != nil {
			return nil, err
		}
		return &rsaVerifier{key: k, hash: t.hash()}, nil
	case *dsa.PublicKey:
		if err := wantsDSA(t, k); err != nil {
			return nil, err
		}
		return &dsaVerifier{key: k}, nil
	case nil:
		if privateKey(der) != nil {
			return nil, errors.New("this is a private key, the public key is needed")
		}
		return nil, errors.New("it is no public key in PKIX or PKCS #1 form and no certificate")
	default:
		return nil, errOtherKind
	}
}

var errOtherKind = errors.New("this is neither an RSA nor a DSA key")

func wantsRSA(t SignType, bits int) error {
	if t != RSA && t != RSA2 {
		return fmt.Errorf("this is an RSA key, a key for %q is needed", clip(string(t)))
	}
	if bits < rsaMinBits || bits > rsaMaxBits {
		return fmt.Errorf("it has %d bits, %d to %d are allowed", bits, rsaMinBits, rsaMaxBits)
	}
	return nil
}

func wantsDSA(t SignType, k *dsa.PublicKey) error {
	if t != DSA {
		return fmt.Errorf("this is a DSA key, a key for %q is needed", clip(string(t)))
	}
	return checkDSA(k)
}

// parseMD5 holds a key to the shape the gateway hands out (the appendix's
// security check code). A wrong file or a cut key is found here, not by an
// ILLEGAL_SIGN hours later.
func parseMD5(material []byte) (*md5Key, error) {
	if bytes.Contains(material, []byte("-----BEGIN")) {
		return nil, errors.New("this is a PEM file, an MD5 key of 32 letters and digits is needed")
	}
	for i, c := range material {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return nil, fmt.Errorf("byte %d of %d is no letter or digit, it must be 32 letters and digits", i+1, len(material))
		}
	}
	if len(material) != 32 {
		return nil, fmt.Errorf("it has %d letters and digits, it must have 32", len(material))
	}
	secret := string(material)
	return &md5Key{&secret}, nil
}

// keyBytes takes the wrapping off: PEM, or base64 in one line or many.
func keyBytes(material []byte) ([]byte, error) {
	if len(material) == 0 {
		return nil, errors.New("it is empty")
	}
	if bytes.Contains(material, []byte("-----BEGIN")) {
		return pemBytes(material)
	}
	der, err := decodeBase64(strings.Join(strings.Fields(string(material)), ""))
	if err != nil {
		return nil, errors.New("it is neither PEM nor base64")
	}
	return der, nil
}

// pemBytes gives the one key in a PEM file. DSA parameters before the key are
// how OpenSSL writes DSA keys, and are in the key again; of certificates, the
// first is the owner's own. More than one key is a question we cannot answer.
func pemBytes(material []byte) ([]byte, error) {
	var found *pem.Block
	for rest := material; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil:
			return nil, errors.New("its PEM is damaged")
		case block.Type == "DSA PARAMETERS":
		case strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, errors.New("it is encrypted with a passphrase, decrypt it first")
		case found == nil:
			found = block
		case found.Type != "CERTIFICATE" || block.Type != "CERTIFICATE":
			return nil, errors.New("the PEM file holds more than one key")
		}
	}
	if found == nil {
		return nil, errors.New("the PEM file holds no key")
	}
	return found.Bytes, nil
}

// privateKey gives nil for what is no private key.
func privateKey(der []byte) any {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k
	}
	if k := parseDSAKey(der); k != nil {
		return k
	}
	return nil
}

// publicKey gives nil for what is no public key.
func publicKey(der []byte) any {
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		return k
	}
	if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return k
	}
	if c, err := x509.ParseCertificate(der); err == nil {
		return c.PublicKey
	}
	return nil
}
