// The content of a key's DER: the kinds that crypto/x509 reads, and RSA keys that it refuses.

package mapi

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
)

// privateKey returns nil if der is not a private key.
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
	if k := parseOddRSA(der); k != nil {
		return k
	}
	return nil
}

// publicKey returns nil if der holds no public key, and reports whether the key came in a
// certificate.
func publicKey(der []byte) (key any, certificate bool) {
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		return k, false
	}
	if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return k, false
	}
	if c, err := x509.ParseCertificate(der); err == nil {
		return c.PublicKey, true
	}
	return nil, false
}

// privateInfo is PKCS #8.
type privateInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
}

var oidRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}

// parseOddRSA reads an RSA key that x509 refuses because of numbers that can be left out or
// computed: the three that only save time, and the primes. [tried] finds out whether the rest can
// sign. The result is nil if it is not an RSA key.
func parseOddRSA(der []byte) *rsa.PrivateKey {
	var outer privateInfo
	if unmarshal(der, &outer) {
		if !outer.Algorithm.Algorithm.Equal(oidRSA) {
			return nil
		}
		der = outer.PrivateKey
	}
	var n struct {
		Version               int
		N                     *big.Int
		E                     int
		D, P, Q, Dp, Dq, Qinv *big.Int
	}
	if !unmarshal(der, &n) || n.N.Sign() <= 0 || n.D.Sign() <= 0 || n.D.BitLen() > 2*rsaMaxBits {
		return nil
	}
	k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n.N, E: n.E}, D: n.D}
	one := big.NewInt(1)
	if n.P.Cmp(one) > 0 && n.Q.Cmp(one) > 0 && n.N.BitLen() <= rsaMaxBits && new(big.Int).Mul(n.P, n.Q).Cmp(n.N) == 0 {
		phi := new(big.Int).Mul(new(big.Int).Sub(n.P, one), new(big.Int).Sub(n.Q, one))
		k.D = new(big.Int).Mod(n.D, phi)
		k.Primes = []*big.Int{n.P, n.Q}
	}
	k.Precompute()
	return k
}

// isEncrypted recognizes an encrypted PKCS #8 key by its scheme: PKCS #5 or #12.
func isEncrypted(der []byte) bool {
	var k struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if !unmarshal(der, &k) {
		return false
	}
	scheme := k.Algorithm.Algorithm.String()
	return strings.HasPrefix(scheme, "1.2.840.113549.1.5.") || strings.HasPrefix(scheme, "1.2.840.113549.1.12.")
}

// isPKCS12 recognizes the outer form of such a file: version 3, then PKCS #7 data.
func isPKCS12(der []byte) bool {
	var outer struct {
		Version int
		Content struct {
			Type asn1.ObjectIdentifier
			Data asn1.RawValue
		}
		MAC asn1.RawValue `asn1:"optional"`
	}
	return unmarshal(der, &outer) && outer.Version == 3 &&
		strings.HasPrefix(outer.Content.Type.String(), "1.2.840.113549.1.7.")
}
