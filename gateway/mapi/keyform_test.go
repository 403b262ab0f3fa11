// Every known form of key files: which are read, and the texts for the others.

package mapi_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"unicode/utf16"

	"protocolq/gateway/mapi"
)

// keyForm is one file. says is empty if it is read, else the text of its refusal.
type keyForm struct {
	name     string
	signType mapi.SignType
	material []byte
	says     string
}

const (
	utf16Says     = "UTF-16 text, as Windows saves it: save it as UTF-8"
	encryptedSays = "encrypted with a passphrase: decrypt it first"
	numbersSays   = "its numbers do not belong together"
	md5Says       = "32 letters and digits"
)

func der(tb testing.TB, name string) []byte {
	tb.Helper()
	block, _ := pem.Decode(readKey(tb, name))
	return block.Bytes
}

func replaced(material []byte, old, with string) []byte {
	return bytes.ReplaceAll(material, []byte(old), []byte(with))
}

func around(before string, material []byte, after string) []byte {
	return append(append([]byte(before), material...), after...)
}

// utf16Text is text as Windows saves it, with or without a byte order mark.
func utf16Text(text []byte, bigEndian, mark bool) []byte {
	units := utf16.Encode([]rune(string(text)))
	if mark {
		units = append([]uint16{0xFEFF}, units...)
	}
	var b []byte
	for _, u := range units {
		if bigEndian {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

// TestPrivateKeyForms has every form of an RSA or DSA key's file. A key that is read makes
// signatures that its other half verifies.
func TestPrivateKeyForms(t *testing.T) {
	checkKeyForms(t, armoredForms(t))
	checkKeyForms(t, bareForms(t))
	checkKeyForms(t, otherKeyForms(t))
	checkKeyForms(t, oddNumbers(t))
}

func armoredForms(t *testing.T) []keyForm {
	key := readKey(t, "rsa_pkcs8.pem")
	oneLine := replaced(key, "\n", "")
	otherTitle := replaced(key, "-----END PRIVATE KEY", "-----END RSA PRIVATE KEY")
	ec := readKey(t, "ec.pem")
	return []keyForm{
		{"PEM", mapi.RSA, key, ""},
		{"PKCS #1", mapi.RSA, readKey(t, "rsa_pkcs1.pem"), ""},
		{"title of PKCS #1 around PKCS #8", mapi.RSA2, retitled(t, "rsa_pkcs8.pem", "RSA PRIVATE KEY"), ""},
		{"title of the other end", mapi.RSA, otherTitle, ""},
		{"byte order mark", mapi.RSA, around("\uFEFF", key, ""), ""},
		{"CRLF", mapi.RSA, replaced(key, "\n", "\r\n"), ""},
		{"CR", mapi.RSA, replaced(key, "\n", "\r"), ""},
		{"no last line end", mapi.RSA, bytes.TrimSpace(key), ""},
		{"one line", mapi.RSA, oneLine, ""},
		{"one line with blanks", mapi.RSA, replaced(key, "\n", " "), ""},
		{"backslash and n", mapi.RSA, replaced(key, "\n", `\n`), ""},
		{"backslash and n, in quotes", mapi.RSA, around(`"`, replaced(key, "\n", `\n`), `"`), ""},
		{"backslash, r and n", mapi.RSA, replaced(key, "\n", `\r\n`), ""},
		{"as a JSON value", mapi.RSA, around(`{"key": "`, replaced(key, "\n", `\n`), `"}`), ""},
		{"indented by blanks", mapi.RSA, around("", replaced(key, "\n", "\n    "), ""), ""},
		{"indented by tabs", mapi.RSA, around("\t", replaced(key, "\n", "\n\t"), ""), ""},
		{"blanks at line ends", mapi.RSA, replaced(key, "\n", "  \n"), ""},
		{"empty lines", mapi.RSA, replaced(key, "\n", "\n\n"), ""},
		{"double quotes", mapi.RSA, around(`"`, key, `"`), ""},
		{"single quotes", mapi.RSA, around(`'`, key, "'\n"), ""},
		{"text before and after", mapi.RSA, around("Bag Attributes\n    friendlyName: x\n", key, "# end\n"), ""},
		{"text on the same lines", mapi.RSA, around("key=", oneLine, ";"), ""},
		{"a harmless header", mapi.RSA, replaced(key, "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nComment: mine\n\n"), ""},
		{"^Z at the end", mapi.RSA, around("", key, "\x1a"), ""},
		{"a NUL at the end", mapi.RSA, around("", key, "\x00"), ""},
		{"unpadded", mapi.DSA, replaced(readKey(t, "dsa_pkcs8.pem"), "=", ""), ""},
		{"certificate, then key", mapi.RSA, around(string(readKey(t, "rsa_certificate.pem")), key, ""), ""},
		{"public key, then key", mapi.RSA, around(string(readKey(t, "rsa_public.pem")), key, ""), ""},
		{"key of another kind, then key", mapi.RSA, around(string(ec), key, ""), ""},
		{"DSA key, then RSA key", mapi.RSA, around(string(readKey(t, "dsa_old.pem")), key, ""), ""},
		{"encrypted, then plain", mapi.RSA, around(string(readKey(t, "rsa_encrypted.pem")), key, ""), ""},
		{"a cut block, then a whole one", mapi.RSA, around(string(key[:400])+"\n", key, ""), ""},
		{"the same key twice", mapi.RSA, around(string(key), key, ""), ""},
		{"DSA with its parameters", mapi.DSA, readKey(t, "dsa_old.pem"), ""},
		{"DSA with CR", mapi.DSA, replaced(readKey(t, "dsa_old.pem"), "\n", "\r"), ""},

		{"no END line", mapi.RSA, key[:500], "its PEM is cut or damaged"},
		{"a line lost", mapi.RSA, append(bytes.Clone(key[:300]), key[365:]...), "it is not a private key"},
		{"a strange character", mapi.RSA, replaced(key, "MII", "M\u200BII"), "its PEM is cut or damaged"},
		{"UTF-16, little end first", mapi.RSA, utf16Text(key, false, true), utf16Says},
		{"UTF-16, big end first", mapi.RSA, utf16Text(key, true, true), utf16Says},
		{"UTF-16 without a mark", mapi.RSA, utf16Text(key, false, false), utf16Says},
		{"certificate", mapi.RSA, readKey(t, "rsa_certificate.pem"), "this is a certificate, which holds a public key: give the private key"},
		{"certificate of DSA asked", mapi.DSA, readKey(t, "rsa_certificate.pem"), "this is a certificate"},
		{"public key", mapi.RSA, readKey(t, "rsa_public.pem"), "this is a public key: give the private key"},
		{"public key of PKCS #1", mapi.RSA2, readKey(t, "rsa_public_pkcs1.pem"), "this is a public key"},
		{"public key of DSA", mapi.DSA, readKey(t, "dsa_public.pem"), "this is a public key"},
		{"encrypted", mapi.RSA, readKey(t, "rsa_encrypted.pem"), encryptedSays},
		{"encrypted, the older way", mapi.RSA, readKey(t, "rsa_encrypted_old.pem"), encryptedSays},
		{"encrypted, the older way, one line", mapi.RSA, replaced(readKey(t, "rsa_encrypted_old.pem"), "\n", " "), encryptedSays},
		{"encrypted under a plain title", mapi.RSA, retitled(t, "rsa_encrypted.pem", "PRIVATE KEY"), encryptedSays},
		{"OpenSSH's form", mapi.RSA, []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"), "ssh-keygen -p -m PEM"},
		{"certificate and encrypted key", mapi.RSA, around(string(readKey(t, "rsa_certificate.pem")), readKey(t, "rsa_encrypted.pem"), ""), "none of its 2 PEM blocks fits: this is a certificate"},
		{"an elliptic key", mapi.RSA, ec, "neither an RSA nor a DSA key"},
	}
}

func bareForms(t *testing.T) []keyForm {
	line := bare(t, "rsa_pkcs8.pem", false)
	url := replaced(replaced(line, "+", "-"), "/", "_")
	whole := der(t, "rsa_pkcs8.pem")
	return []keyForm{
		{"base64", mapi.RSA, line, ""},
		{"base64 in lines", mapi.RSA2, bare(t, "rsa_pkcs1.pem", true), ""},
		{"base64 in lines that end in CR", mapi.RSA, replaced(bare(t, "rsa_pkcs1.pem", true), "\r\n", "\r"), ""},
		{"base64 with a mark", mapi.RSA, around("\uFEFF", line, "\n"), ""},
		{"base64 in quotes", mapi.RSA, around(`"`, line, "\"\n"), ""},
		{"base64 in single quotes with a mark", mapi.RSA, around("\uFEFF'", line, "'"), ""},
		{"base64 with backslash and n", mapi.RSA, around("", line, `\n`), ""},
		{"base64 indented", mapi.RSA, replaced(bare(t, "rsa_pkcs8.pem", true), "\r\n", "\n  "), ""},
		{"base64url", mapi.RSA, url, ""},
		{"base64url, unpadded", mapi.RSA, bytes.TrimRight(url, "="), ""},
		{"unpadded", mapi.DSA, bytes.TrimRight(bare(t, "dsa_pkcs8.pem", false), "="), ""},
		{"DER", mapi.RSA, whole, ""},
		{"DER of PKCS #1", mapi.RSA2, der(t, "rsa_pkcs1.pem"), ""},
		{"DER of DSA", mapi.DSA, der(t, "dsa_pkcs8.pem"), ""},
		{"DER and a line end", mapi.RSA, around("", whole, "\n"), ""},
		{"DER that ends in white space", mapi.RSA, endsInSpace(t), ""},

		{"DER of a certificate", mapi.RSA, der(t, "rsa_certificate.pem"), "this is a certificate"},
		{"DER of a public key", mapi.RSA, der(t, "rsa_public.pem"), "this is a public key"},
		{"DER, encrypted", mapi.RSA, der(t, "rsa_encrypted.pem"), encryptedSays},
		{"DER, cut", mapi.RSA, whole[:len(whole)-1], "neither PEM nor DER nor base64"},
		{"base64, encrypted", mapi.RSA, bare(t, "rsa_encrypted.pem", false), encryptedSays},
		{"base64, cut", mapi.RSA, line[:400], "it is not a private key"},
		{"base64 of a certificate", mapi.RSA, bare(t, "rsa_certificate.pem", true), "this is a certificate"},
		{"base64 in UTF-16", mapi.RSA, utf16Text(line, true, false), utf16Says},
		{"base64 of the PEM file", mapi.RSA, []byte(base64.StdEncoding.EncodeToString(readKey(t, "rsa_pkcs8.pem"))), "in base64 a second time: decode it once"},
		{"a name before it", mapi.RSA, around("key=", line, ""), "neither PEM nor DER nor base64"},
		{"a letter", mapi.RSA, []byte("päss"), "neither PEM nor DER nor base64"},
		{"an MD5 key", mapi.RSA, []byte(md5Secret), "this is an MD5 key"},
		{"an MD5 key with a line end", mapi.DSA, []byte(md5Secret + "\r\n"), "this is an MD5 key"},
		{"empty", mapi.RSA, nil, "it is empty"},
		{"only a mark and a line end", mapi.RSA, []byte("\uFEFF\r\n"), "it is empty"},
		{"PKCS #12", mapi.RSA, pkcs12(t), "PKCS #12 file (.p12, .pfx): take the key out first"},
	}
}

func otherKeyForms(t *testing.T) []keyForm {
	rows := []keyForm{
		{"RSA key", mapi.DSA, readKey(t, "rsa_pkcs1.pem"), `this is an RSA key, a key for "DSA" is needed`},
		{"DSA key", mapi.RSA, readKey(t, "dsa_old.pem"), `this is a DSA key, a key for "RSA" is needed`},
		{"512 bits", mapi.RSA, readKey(t, "rsa_512.pem"), "it has 512 bits, 1024 to 8192 are allowed"},
	}
	for _, md5 := range []struct{ name, material, says string }{
		{"plain", md5Secret, ""},
		{"LF", md5Secret + "\n", ""},
		{"CRLF", md5Secret + "\r\n", ""},
		{"CR", md5Secret + "\r", ""},
		{"two line ends", md5Secret + "\n\n", "it has more than one line"},
		{"LF and CR", md5Secret + "\n\r", "it has more than one line"},
		{"a second line", md5Secret + "\nmore\n", "it has more than one line"},
		{"a line before", "\n" + md5Secret, "it has more than one line"},
		{"blank before", " " + md5Secret, "byte 1 of 33 is white space"},
		{"blank after", md5Secret + " \n", "byte 33 of 33 is white space"},
		{"tab after", md5Secret + "\t", "byte 33 of 33 is white space"},
		{"blank inside", md5Secret[:16] + " " + md5Secret[17:], "byte 17 of 32 is white space"},
		{"mark", "\uFEFF" + md5Secret, "begins with a byte order mark"},
		{"double quotes", `"` + md5Secret + `"`, "quotes"},
		{"single quotes", "'" + md5Secret + "'\n", "quotes"},
		{"a name", "key=" + md5Secret, "a name or sign before or after the key"},
		{"a name in YAML", "key: " + md5Secret, "a name or sign before or after the key"},
		{"NUL", md5Secret + "\x00", "byte 33 of 33 is a control character"},
		{"^Z", md5Secret + "\x1a", "byte 33 of 33 is a control character"},
		{"^Z on a line of its own", md5Secret + "\r\n\x1a", "it has more than one line"},
		{"zero-width space", md5Secret + "\u200B", "invisible character"},
		{"zero-width joiner inside", md5Secret[:4] + "\u200D" + md5Secret[4:], "invisible character"},
		{"no-break space", md5Secret + "\u00A0", "invisible character"},
		{"backslash and n", md5Secret + `\n`, "byte 33 of 34 is no letter or digit"},
		{"full-width digits", strings.Repeat("１", 32), "byte 1 of 96 is no letter or digit"},
		{"UTF-16", string(utf16Text([]byte(md5Secret), false, true)), utf16Says},
		{"UTF-16 without a mark", string(utf16Text([]byte(md5Secret), false, false)), utf16Says},
		{"31", md5Secret[1:], "it has 31 letters and digits, it must have 32"},
		{"33", md5Secret + "x", "it has 33 letters and digits, it must have 32"},
		{"empty", "", "it is empty"},
		{"only a line end", "\n", "it is empty"},
		{"PEM", string(readKey(t, "rsa_pkcs8.pem")), "this is a PEM file"},
		{"DER", string(der(t, "rsa_pkcs8.pem")), md5Says},
	} {
		rows = append(rows, keyForm{md5.name, mapi.MD5, []byte(md5.material), md5.says})
	}
	return rows
}

func checkKeyForms(t *testing.T, forms []keyForm) {
	t.Helper()
	for _, tt := range forms {
		t.Run(string(tt.signType)+"/"+tt.name, func(t *testing.T) {
			key, err := mapi.ParseKey(tt.signType, tt.material)
			if tt.says != "" {
				wrongKey(tt).check(t, key.IsZero(), err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sign, err := key.Sign(query(), mapi.UTF8)
			if err != nil {
				t.Fatal(err)
			}
			verifier := key.Verifier()
			if public := publicHalf[tt.signType]; public != "" && tt.name != "another exponent" {
				if verifier, err = mapi.ParseVerifier(tt.signType, readKey(t, public)); err != nil {
					t.Fatal(err)
				}
			} else if tt.signType == mapi.MD5 {
				verifier = md5Key(t).Verifier()
			}
			if err := verifier.Verify(query(), mapi.UTF8, sign); err != nil {
				t.Error(err)
			}
		})
	}
}

var publicHalf = map[mapi.SignType]string{mapi.RSA: "rsa_public.pem", mapi.RSA2: "rsa_public.pem", mapi.DSA: "dsa_public.pem"}

// TestPublicKeyForms has the forms of a file that verifies signatures.
func TestPublicKeyForms(t *testing.T) {
	key, chain := readKey(t, "rsa_public.pem"), readKey(t, "rsa_certificate.pem")
	signed, err := mapi.ParseKey(mapi.RSA, readKey(t, "rsa_pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	sign, err := signed.Sign(query(), mapi.UTF8)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []keyForm{
		{"PEM", mapi.RSA, key, ""},
		{"PKCS #1", mapi.RSA, readKey(t, "rsa_public_pkcs1.pem"), ""},
		{"one line", mapi.RSA, replaced(key, "\n", ""), ""},
		{"CR and a mark", mapi.RSA, around("\uFEFF", replaced(key, "\n", "\r"), ""), ""},
		{"backslash and n in quotes", mapi.RSA, around(`"`, replaced(key, "\n", `\n`), `"`), ""},
		{"certificate", mapi.RSA, chain, ""},
		{"DER", mapi.RSA, der(t, "rsa_public.pem"), ""},
		{"DER of a certificate", mapi.RSA, der(t, "rsa_certificate.pem"), ""},
		{"base64url", mapi.RSA, replaced(replaced(bare(t, "rsa_public.pem", false), "+", "-"), "/", "_"), ""},
		{"private, then public", mapi.RSA, around(string(readKey(t, "rsa_pkcs8.pem")), key, ""), ""},
		{"two certificates, the first counts", mapi.RSA, append(bytes.Clone(chain), chain...), ""},
		{"DSA, then RSA", mapi.RSA, around(string(readKey(t, "dsa_public.pem")), key, ""), ""},

		{"private", mapi.RSA, readKey(t, "rsa_pkcs1.pem"), "this is a private key: give the public key"},
		{"private of DSA", mapi.DSA, readKey(t, "dsa_old.pem"), "this is a private key"},
		{"encrypted", mapi.RSA, readKey(t, "rsa_encrypted.pem"), "this is a private key, encrypted: give the public key"},
		{"encrypted DER", mapi.RSA, der(t, "rsa_encrypted.pem"), "this is a private key, encrypted: give the public key"},
		{"UTF-16", mapi.RSA, utf16Text(key, false, true), utf16Says},
		{"MD5 with a name", mapi.MD5, []byte("key=" + md5Secret), "a name or sign before or after the key"},
		{"elliptic", mapi.RSA, ellipticPublic(t), "neither an RSA nor a DSA key"},
	} {
		t.Run(string(tt.signType)+"/"+tt.name, func(t *testing.T) {
			v, err := mapi.ParseVerifier(tt.signType, tt.material)
			if tt.says != "" {
				wrongKey(tt).check(t, v.IsZero(), err)
				return
			}
			if err == nil {
				err = v.Verify(query(), mapi.UTF8, sign)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func ellipticPublic(t *testing.T) []byte {
	t.Helper()
	private, err := x509.ParseECPrivateKey(der(t, "ec.pem"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
