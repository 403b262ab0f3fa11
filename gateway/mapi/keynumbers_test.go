// RSA keys with numbers as other programs write them, and keys built by hand.

package mapi_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"protocolq/gateway/mapi"
)

// numbers are the numbers of an RSA key in PKCS #1.
type numbers struct {
	Version               int
	N                     *big.Int
	E                     int
	D, P, Q, Dp, Dq, Qinv *big.Int
}

func (n numbers) der(t *testing.T) []byte {
	t.Helper()
	b, err := asn1.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rsaNumbers(t *testing.T) (numbers, *rsa.PrivateKey) {
	t.Helper()
	k, err := x509.ParsePKCS1PrivateKey(der(t, "rsa_pkcs1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	k.Precompute()
	return numbers{0, k.N, k.E, k.D, k.Primes[0], k.Primes[1], k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv}, k
}

// oddNumbers are keys that other programs write. They count if they can sign, however their numbers
// look.
func oddNumbers(t *testing.T) []keyForm {
	n, k := rsaNumbers(t)
	one, zero := big.NewInt(1), new(big.Int)
	change := func(change func(*numbers)) []byte {
		m := n
		change(&m)
		return m.der(t)
	}
	phi := new(big.Int).Mul(new(big.Int).Sub(n.P, one), new(big.Int).Sub(n.Q, one))
	return []keyForm{
		{"d of Carmichael's number", mapi.RSA, change(func(m *numbers) {
			gcd := new(big.Int).GCD(nil, nil, new(big.Int).Sub(m.P, one), new(big.Int).Sub(m.Q, one))
			m.D = new(big.Int).Mod(m.D, new(big.Int).Div(phi, gcd))
		}), ""},
		{"d of Euler's number", mapi.RSA, change(func(m *numbers) { m.D = new(big.Int).ModInverse(big.NewInt(int64(m.E)), phi) }), ""},
		{"d larger than n", mapi.RSA, change(func(m *numbers) { m.D = new(big.Int).Add(m.D, new(big.Int).Lsh(phi, 3)) }), ""},
		{"primes the other way round", mapi.RSA2, change(func(m *numbers) {
			m.P, m.Q, m.Dp, m.Dq, m.Qinv = m.Q, m.P, m.Dq, m.Dp, new(big.Int).ModInverse(m.P, m.Q)
		}), ""},
		{"primes alone the other way round", mapi.RSA, change(func(m *numbers) { m.P, m.Q = m.Q, m.P }), ""},
		{"zeros for what can be computed", mapi.RSA, change(func(m *numbers) { m.Dp, m.Dq, m.Qinv = zero, zero, zero }), ""},
		{"n, e and d alone", mapi.RSA, change(func(m *numbers) { m.P, m.Q, m.Dp, m.Dq, m.Qinv = zero, zero, zero, zero, zero }), ""},
		{"a wrong coefficient", mapi.RSA, change(func(m *numbers) { m.Qinv = new(big.Int).Add(m.Qinv, one) }), ""},
		{"not reduced exponents", mapi.RSA, change(func(m *numbers) { m.Dp, m.Dq = m.D, m.D }), ""},
		{"odd numbers in PKCS #8", mapi.RSA, pkcs8(t, change(func(m *numbers) { m.Dp, m.Dq, m.Qinv = zero, zero, zero })), ""},
		{"another exponent", mapi.RSA, otherExponent(t, k).der(t), ""},

		{"a wrong d", mapi.RSA, change(func(m *numbers) { m.D = new(big.Int).Add(m.D, one) }), numbersSays},
		{"a wrong n", mapi.RSA, change(func(m *numbers) { m.N = new(big.Int).Add(m.N, big.NewInt(2)) }), numbersSays},
		{"an even n", mapi.RSA, change(func(m *numbers) { m.N = new(big.Int).Add(m.N, one) }), numbersSays},
		{"one bit wrong", mapi.RSA, spoiled(t), numbersSays},
		{"n below zero", mapi.RSA, change(func(m *numbers) { m.N = new(big.Int).Neg(m.N) }), "it is not a private key"},
		{"e is one", mapi.RSA, change(func(m *numbers) { m.E, m.D = 1, one }), numbersSays},
	}
}

// otherExponent is the same modulus with another e: valid, but the tests have the other half of
// another key.
func otherExponent(t *testing.T, k *rsa.PrivateKey) numbers {
	t.Helper()
	one := big.NewInt(1)
	p, q := new(big.Int).Sub(k.Primes[0], one), new(big.Int).Sub(k.Primes[1], one)
	phi := new(big.Int).Mul(p, q)
	for e := 3; ; e += 2 {
		if d := new(big.Int).ModInverse(big.NewInt(int64(e)), phi); d != nil {
			return numbers{0, k.N, e, d, k.Primes[0], k.Primes[1], new(big.Int).Mod(d, p), new(big.Int).Mod(d, q), k.Precomputed.Qinv}
		}
	}
}

func pkcs8(t *testing.T, pkcs1 []byte) []byte {
	t.Helper()
	var k struct {
		Version   int
		Algorithm asn1.RawValue
		Key       []byte
	}
	if _, err := asn1.Unmarshal(der(t, "rsa_pkcs8.pem"), &k); err != nil {
		t.Fatal(err)
	}
	k.Key = pkcs1
	b, err := asn1.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// endsInSpace is a key whose last byte, in the last number of DER, is a line end: no reader may
// trim it.
func endsInSpace(t *testing.T) []byte {
	n, k := rsaNumbers(t)
	for b := n.Qinv.Bytes(); b[len(b)-1] != '\r'; b = n.Qinv.Bytes() {
		n.Qinv = new(big.Int).Add(n.Qinv, k.Primes[0])
	}
	return n.der(t)
}

// pkcs12 is the outer form of such a file.
func pkcs12(t *testing.T) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct {
		Version int
		Content struct {
			Type asn1.ObjectIdentifier
			Data []byte `asn1:"explicit,tag:0"`
		}
	}{3, struct {
		Type asn1.ObjectIdentifier
		Data []byte `asn1:"explicit,tag:0"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
