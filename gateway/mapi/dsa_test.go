// DSA keys whose numbers would make every signature valid, or none.

package mapi_test

import (
	"crypto/dsa" //nolint:staticcheck // one of the gateway's own sign types
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

// dsaNumbers reads the public test key; x509 supports that much of DSA.
func dsaNumbers(t *testing.T) dsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode(readKey(t, "dsa_public.pem"))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return *key.(*dsa.PublicKey)
}

// public writes a DSA public key in plain PKIX form.
func public(t *testing.T, k dsa.PublicKey) []byte {
	t.Helper()
	y, err := asn1.Marshal(k.Y)
	if err != nil {
		t.Fatal(err)
	}
	type algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters dsa.Parameters
	}
	der, err := asn1.Marshal(struct {
		Algorithm algorithm
		Key       asn1.BitString
	}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}, k.Parameters}, asn1.BitString{Bytes: y, BitLength: 8 * len(y)}})
	if err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(der))
}

func TestDSANumbers(t *testing.T) {
	if _, err := mapi.ParseVerifier(mapi.DSA, public(t, dsaNumbers(t))); err != nil {
		t.Fatalf("the key as it is: %v", err)
	}
	one := big.NewInt(1)
	for name, tt := range map[string]struct {
		change func(k *dsa.PublicKey)
		says   string
	}{
		"generator 1":       {func(k *dsa.PublicKey) { k.G = one }, "belong together"},
		"key 1":             {func(k *dsa.PublicKey) { k.Y = one }, "belong together"},
		"key too large":     {func(k *dsa.PublicKey) { k.Y = new(big.Int).Add(k.Y, k.P) }, "belong together"},
		"key not of the Q":  {func(k *dsa.PublicKey) { k.Y = new(big.Int).Add(k.Y, one) }, "belong together"},
		"small prime":       {func(k *dsa.PublicKey) { k.P = new(big.Int).Rsh(k.P, 512) }, "its prime has 512 bits"},
		"huge prime":        {func(k *dsa.PublicKey) { k.P = new(big.Int).Lsh(k.P, 4096) }, "its prime has 5120 bits"},
		"odd subgroup size": {func(k *dsa.PublicKey) { k.Q = new(big.Int).Rsh(k.Q, 1) }, "its subgroup has 223 bits"},
	} {
		k := dsaNumbers(t)
		tt.change(&k)
		if _, err := mapi.ParseVerifier(mapi.DSA, public(t, k)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, tt.says)
		}
	}
}

func TestDSAPrivateNumbers(t *testing.T) {
	k := dsaNumbers(t)
	for name, x := range map[string]*big.Int{
		"zero":     big.NewInt(0),
		"negative": big.NewInt(-1),
		"as Q":     k.Q,
		"above Q":  new(big.Int).Add(k.Q, big.NewInt(2)),
	} {
		der, err := asn1.Marshal(struct {
			Version       int
			P, Q, G, Y, X *big.Int
		}{0, k.P, k.Q, k.G, k.Y, x})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mapi.ParseKey(mapi.DSA, []byte(base64.StdEncoding.EncodeToString(der))); err == nil {
			t.Errorf("a private number %s was taken", name)
		}
	}
}
