// Reading keys: which kind is wanted, which kind the file has, and what to do if they differ.

package mapi

import (
	"crypto/dsa" //nolint:staticcheck // one of the gateway's own sign types
	"crypto/rsa"
	"errors"
	"fmt"
)

// RSA sizes in bits. The gateway owner's key page tells merchants to make 1024; Go refuses to sign
// with fewer. The upper bound keeps one verification from taking long.
const rsaMinBits, rsaMaxBits = 1024, 8192

// ParseKey reads a signing key from the content of a file. An MD5 key is 32 letters and digits and
// at most one line end, and nothing else, because any further byte would be part of the key. Other
// keys are private keys as PEM, DER or base64, in PKCS #8 or in the older form of their kind (PKCS
// #1, OpenSSL's DSA form). The content counts, not the PEM's title, and of several PEM blocks the
// first that fits is used. Line ends, indentation, quotes and a byte order mark around them do not
// matter. Before ParseKey returns a key, the key has signed once and the signature has verified. An
// error says what is wrong and what to do, and shows nothing of the key.
func ParseKey(t SignType, material []byte) (Key, error) {
	key, err := parseKey(t, material)
	if err != nil {
		return Key{}, fmt.Errorf("%s key: %w", t, err)
	}
	return Key{signType: t, signer: key}, nil
}

// NewMD5Key accepts any MD5 key that is not empty, for test suites whose keys do not have the form
// that ParseKey requires.
func NewMD5Key(secret string) (Key, error) {
	if secret == "" {
		return Key{}, errors.New("MD5 key: it is empty")
	}
	return Key{signType: MD5, signer: &md5Key{&secret}}, nil
}

// ParseVerifier reads what verifies signatures: for MD5 the key, as ParseKey does; for the others a
// public key in PKIX or PKCS #1 form or a certificate, in the same wrappings as ParseKey.
func ParseVerifier(t SignType, material []byte) (Verifier, error) {
	v, err := parseVerifier(t, material)
	if err != nil {
		return Verifier{}, fmt.Errorf("%s verification key: %w", t, err)
	}
	return Verifier{signType: t, verifier: v}, nil
}

func parseKey(t SignType, material []byte) (signer, error) {
	if t == MD5 {
		return parseMD5(material)
	}
	return firstFit(material, func(b keyBlock) (signer, error) { return privateSigner(t, b) })
}

func parseVerifier(t SignType, material []byte) (verifier, error) {
	if t == MD5 {
		return parseMD5(material)
	}
	return firstFit(material, func(b keyBlock) (verifier, error) { return publicVerifier(t, b) })
}

// firstFit returns what read makes of the first block that it accepts, or else what is wrong with
// each block.
func firstFit[T any](material []byte, read func(keyBlock) (T, error)) (T, error) {
	var none T
	if _, err := parseMD5(material); err == nil {
		return none, errIsMD5
	}
	blocks, err := keyBlocks(material)
	if err != nil {
		return none, err
	}
	var faults error
	for i, b := range blocks {
		made, err := read(b)
		if err == nil {
			return made, nil
		}
		switch {
		case i == 0:
			faults = err
		case i < 4: // more would fill a screen
			faults = fmt.Errorf("%w; %w", faults, err)
		}
	}
	if len(blocks) > 1 {
		faults = fmt.Errorf("none of its %d PEM blocks fits: %w", len(blocks), faults)
	}
	return none, faults
}

func privateSigner(t SignType, b keyBlock) (signer, error) {
	if b.sealed {
		return nil, errEncrypted
	}
	if b.fault != nil {
		return nil, b.fault
	}
	switch k := privateKey(b.der).(type) {
	case *rsa.PrivateKey:
		if err := wantsRSA(t, k.N.BitLen()); err != nil {
			return nil, err
		}
		return tried(&rsaKey{key: k, hash: t.hash()})
	case *dsa.PrivateKey:
		if err := wantsDSA(t, &k.PublicKey); err != nil {
			return nil, err
		}
		key, err := newDSAKey(k)
		if err != nil {
			return nil, err
		}
		return tried(key)
	case nil:
		return nil, notPrivate(b.der)
	default:
		return nil, errOtherKind
	}
}

// tried tests a key with the library: what it signs must verify.
func tried(s signer) (signer, error) {
	text := []byte("protocolq")
	sign, err := s.sign(text)
	if err == nil {
		err = s.verifier().verify(text, sign)
	}
	if err != nil { // its own text could show numbers of the key
		return nil, errNumbers
	}
	return s, nil
}

func publicVerifier(t SignType, b keyBlock) (verifier, error) {
	if b.sealed {
		return nil, errSealedPublic
	}
	if b.fault != nil {
		return nil, b.fault
	}
	key, _ := publicKey(b.der)
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
		return nil, notPublic(b.der)
	default:
		return nil, errOtherKind
	}
}

// The refusals. Each says what the file has and what to do.
var (
	errEmpty     = errors.New("it is empty")
	errUTF16     = errors.New("it is UTF-16 text, as Windows saves it: save it as UTF-8 or ASCII")
	errOtherKind = errors.New("this is neither an RSA nor a DSA key")
	errNumbers   = errors.New("its numbers do not belong together: the file is damaged or made by hand, take a " +
		"copy of the original")
	errEncrypted = errors.New("it is encrypted with a passphrase: decrypt it first (openssl pkey -in FILE -out " +
		"NEWFILE)")
	errSealedPublic  = errors.New("this is a private key, encrypted: give the public key")
	errIsCertificate = errors.New("this is a certificate, which holds a public key: give the private key that it was " +
		"made with")
	errIsPublic  = errors.New("this is a public key: give the private key that it belongs to")
	errIsPrivate = errors.New("this is a private key: give the public key (the gateway's own, not the one that " +
		"belongs to this key)")
	errIsMD5 = errors.New("this is an MD5 key, 32 letters and digits: is it the right file, or the sign type " +
		"MD5?")
	errIsPKCS12 = errors.New("this is a PKCS #12 file (.p12, .pfx): take the key out first (openssl pkcs12 -in " +
		"FILE -nodes -out NEWFILE)")
	errNoPrivate = errors.New("it is not a private key in PKCS #1, PKCS #8 or the old DSA form: is it the right " +
		"file, and whole?")
	errNoPublic = errors.New("it is neither a public key in PKIX or PKCS #1 form nor a certificate: is it the right " +
		"file, and whole?")
)

func notPrivate(der []byte) error {
	key, certificate := publicKey(der)
	switch {
	case certificate:
		return errIsCertificate
	case key != nil:
		return errIsPublic
	case isEncrypted(der):
		return errEncrypted
	case isPKCS12(der):
		return errIsPKCS12
	}
	return errNoPrivate
}

func notPublic(der []byte) error {
	switch {
	case privateKey(der) != nil:
		return errIsPrivate
	case isEncrypted(der):
		return errSealedPublic
	case isPKCS12(der):
		return errIsPKCS12
	}
	return errNoPublic
}

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
