// DSA, which Go's x509 supports only in part: its private keys and its three spellings of
// signatures.

package mapi

import (
	"bytes"
	"crypto/dsa" //nolint:staticcheck // one of the gateway's own sign types
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // SHA1withDSA is the gateway's own choice
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

var oidDSA = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}

// checkDSA keeps out parameters with which any signature verifies (a generator or key of order 1)
// or with which verifying takes long.
func checkDSA(k *dsa.PublicKey) error {
	if bits := k.P.BitLen(); bits < 1024 || bits > 3072 {
		return fmt.Errorf("its prime has %d bits, 1024 to 3072 are allowed", bits)
	}
	switch k.Q.BitLen() {
	case 160, 224, 256:
	default:
		return fmt.Errorf("its subgroup has %d bits, 160, 224 or 256 are allowed", k.Q.BitLen())
	}
	one := big.NewInt(1)
	for _, n := range []*big.Int{k.G, k.Y} {
		if n.Cmp(one) <= 0 || n.Cmp(k.P) >= 0 || new(big.Int).Exp(n, k.Q, k.P).Cmp(one) != 0 {
			return errNumbers
		}
	}
	return nil
}

// oldDSAKey is OpenSSL's form before PKCS #8.
type oldDSAKey struct {
	Version       int
	P, Q, G, Y, X *big.Int
}

// parseDSAKey reads a private key in PKCS #8 or in the older form, or returns nil if it is neither.
// It computes the public half. The older form must have nothing after its numbers: an RSA key
// begins with as many.
func parseDSAKey(der []byte) *dsa.PrivateKey {
	k := new(dsa.PrivateKey)
	var old oldDSAKey
	var pkcs8 struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}
	if unmarshal(der, &old) && isExactly(der, old) {
		k.P, k.Q, k.G, k.X = old.P, old.Q, old.G, old.X
	} else if !unmarshal(der, &pkcs8) || !pkcs8.Algorithm.Algorithm.Equal(oidDSA) ||
		!unmarshal(pkcs8.Algorithm.Parameters.FullBytes, &k.Parameters) ||
		!unmarshal(pkcs8.PrivateKey, &k.X) {
		return nil
	}
	for _, n := range []*big.Int{k.P, k.Q, k.G, k.X} {
		if n == nil || n.Sign() <= 0 || n.BitLen() > 4096 {
			return nil
		}
	}
	k.Y = new(big.Int).Exp(k.G, k.X, k.P)
	return k
}

// unmarshal reports whether der is exactly one value of into's type.
func unmarshal(der []byte, into any) bool {
	rest, err := asn1.Unmarshal(der, into)
	return err == nil && len(rest) == 0
}

// isExactly reports whether der is the encoding of value, with nothing added.
func isExactly(der []byte, value any) bool {
	back, err := asn1.Marshal(value)
	return err == nil && bytes.Equal(back, der)
}

type dsaKey struct{ key *dsa.PrivateKey }

func newDSAKey(k *dsa.PrivateKey) (signer, error) {
	if k.X.Cmp(k.Q) >= 0 {
		return nil, errNumbers
	}
	return &dsaKey{k}, nil
}

func (k *dsaKey) equal(other *dsaKey) bool {
	a, b := k.key, other.key
	return a.P.Cmp(b.P) == 0 && a.Q.Cmp(b.Q) == 0 && a.G.Cmp(b.G) == 0 && a.X.Cmp(b.X) == 0
}

func (k *dsaKey) sign(text []byte) (string, error) {
	digest := sha1.Sum(text) //nolint:gosec // see the import
	r, s, err := dsa.Sign(rand.Reader, k.key, digest[:])
	if err != nil {
		return "", err
	}
	der, err := asn1.Marshal(dsaSign{r, s})
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

func (k *dsaKey) verifier() verifier { return &dsaVerifier{&k.key.PublicKey} }

type dsaVerifier struct{ key *dsa.PublicKey }

type dsaSign struct{ R, S *big.Int }

// verify accepts each of the known spellings: DER, and the plain numbers r and s one after the
// other, both in base64, which may be in the underscore spelling.
func (v *dsaVerifier) verify(text []byte, sign string) error {
	raw, err := DecodeSign(DSA, sign)
	if err != nil {
		return err
	}
	candidates := v.read(raw)
	if len(candidates) == 0 {
		return errors.New("it is neither DER nor r and s of the key's size")
	}
	digest := sha1.Sum(text) //nolint:gosec // see the import
	for _, c := range candidates {
		if c.R.Sign() > 0 && c.R.Cmp(v.key.Q) < 0 && c.S.Sign() > 0 && c.S.Cmp(v.key.Q) < 0 &&
			dsa.Verify(v.key, digest[:], c.R, c.S) {
			return nil
		}
	}
	return errNoMatch
}

// read returns what raw can mean. By chance r and s can look like DER, so there may be two
// meanings. DER is accepted only in its one right form.
func (v *dsaVerifier) read(raw []byte) (candidates []dsaSign) {
	var der dsaSign
	if unmarshal(raw, &der) && isExactly(raw, der) {
		candidates = append(candidates, der)
	}
	if size := (v.key.Q.BitLen() + 7) / 8; len(raw) == 2*size {
		r, s := new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])
		candidates = append(candidates, dsaSign{r, s})
	}
	return candidates
}

// DecodeSign returns the bytes of a signature as sent: small hexadecimal digits for MD5, standard
// base64 for the others. For DSA it also reads the spelling of the gateway's own signatures: base64
// with each capital X written _x (measured: three recorded signatures).
func DecodeSign(t SignType, sign string) ([]byte, error) {
	if t == MD5 {
		raw, err := hex.DecodeString(sign)
		if err != nil || len(raw) != 16 || sign != strings.ToLower(sign) {
			return nil, errors.New("it is not 32 small hexadecimal digits")
		}
		return raw, nil
	}
	if t == DSA && strings.Contains(sign, "_") {
		plain, err := underscored(sign)
		if err != nil {
			return nil, err
		}
		sign = plain
	}
	return decodeBase64(sign)
}

// underscored undoes the underscore spelling, which has no capital letters.
func underscored(sign string) (string, error) {
	plain := make([]byte, 0, len(sign))
	for i := 0; i < len(sign); i++ {
		c := sign[i]
		if c >= 'A' && c <= 'Z' {
			return "", errors.New("it mixes capitals and the underscore spelling")
		}
		if c == '_' {
			i++
			if i == len(sign) || sign[i] < 'a' || sign[i] > 'z' {
				return "", errors.New("an underscore in it is not before a small letter")
			}
			c = sign[i] - 'a' + 'A'
		}
		plain = append(plain, c)
	}
	return string(plain), nil
}
