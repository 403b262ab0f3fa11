// Any content of a key's file: reading it never panics, and no error shows anything of it.

package mapi_test

import (
	"encoding/pem"
	"regexp"
	"testing"

	"protocolq/gateway/mapi"
)

// keyError matches every possible refusal, with numbers in place of numbers. An error that quotes a
// file does not match.
var keyError = regexp.MustCompile(`^(MD5|RSA|RSA2|DSA)( verification)? key: ` +
	`(none of its \d+ PEM blocks fits: )?` + oneKeyError + `(; ` + oneKeyError + `){0,3}$`)

const oneKeyError = `(it is empty|` +
	`it is UTF-16 text, as Windows saves it: save it as UTF-8 or ASCII|` +
	`it is neither PEM nor DER nor base64, or it is cut: is it the right file\?|` +
	`it is a PEM file in base64 a second time: decode it once \(base64 -d\)|` +
	`its PEM is cut or damaged: take a copy of the original|` +
	`the PEM file holds no key|` +
	`this is OpenSSH's own form: convert a copy of it \(ssh-keygen -p -m PEM -f COPY\)|` +
	`this is neither an RSA nor a DSA key|` +
	`this is an? (RSA|DSA) key, a key for "(RSA|RSA2|DSA)" is needed|` +
	`its numbers do not belong together: the file is damaged or made by hand, take a copy of the original|` +
	`its prime has \d+ bits, 1024 to 3072 are allowed|` +
	`its subgroup has \d+ bits, 160, 224 or 256 are allowed|` +
	`it has \d+ bits, 1024 to 8192 are allowed|` +
	`it is encrypted with a passphrase: decrypt it first \(openssl pkey -in FILE -out NEWFILE\)|` +
	`this is a private key, encrypted: give the public key|` +
	`this is a certificate, which holds a public key: give the private key that it was made with|` +
	`this is a public key: give the private key that it belongs to|` +
	`this is a private key: give the public key \(the gateway's own, not the one that belongs to this key\)|` +
	`this is a PKCS #12 file \(\.p12, \.pfx\): take the key out first \(openssl pkcs12 -in FILE -nodes -out NEWFILE\)|` +
	`this is an MD5 key, 32 letters and digits: is it the right file, or the sign type MD5\?|` +
	`it is not a private key in PKCS #1, PKCS #8 or the old DSA form: is it the right file, and whole\?|` +
	`it is neither a public key in PKIX or PKCS #1 form nor a certificate: is it the right file, and whole\?|` +
	`it begins with a byte order mark: save it as UTF-8 without one|` +
	`this is a PEM file, an MD5 key of 32 letters and digits is needed|` +
	`it has \d+ letters and digits, it must have 32|` +
	`(it has more than one line|it has quotes around the key|it has a name or sign before or after the key|` +
	`byte \d+ of \d+ is (no letter or digit|white space|a control character|an invisible character)): leave only the 32 letters and digits in the file)`

// FuzzParseKey: a key that is read signs and verifies. Any other is refused only in our own words,
// and leaves nothing behind.
func FuzzParseKey(f *testing.F) {
	seeds := [][]byte{nil, []byte(md5Secret + "\r\n"), []byte("\xFF\xFEa\x00"), []byte("-----BEGIN -----END"), []byte("-----BEGIN X-----AA==-----END X-----")}
	for _, name := range []string{"dsa_old.pem", "dsa_pkcs8.pem", "dsa_public.pem", "ec.pem", "rsa_512.pem", "rsa_certificate.pem", "rsa_encrypted.pem",
		"rsa_encrypted_old.pem", "rsa_pkcs1.pem", "rsa_pkcs8.pem", "rsa_public.pem", "rsa_public_pkcs1.pem"} {
		text := readKey(f, name)
		seeds = append(seeds, text, replaced(text, "\n", `\n`), bare(f, name, false))
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			seeds = append(seeds, block.Bytes) // a changed byte is a changed number
		}
	}
	needSeeds(f, len(seeds))
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, material []byte) {
		for _, st := range []mapi.SignType{mapi.MD5, mapi.RSA, mapi.RSA2, mapi.DSA} {
			key, err := mapi.ParseKey(st, material)
			if err != nil && (!key.IsZero() || !keyError.MatchString(err.Error())) {
				t.Fatalf("key %v, error %v", key.IsZero(), err)
			}
			if err == nil {
				sign, err := key.Sign(query(), mapi.UTF8)
				if err != nil {
					t.Fatalf("%s: a key that was read cannot sign: %v", st, err)
				}
				if err := key.Verifier().Verify(query(), mapi.UTF8, sign); err != nil {
					t.Fatalf("%s: its sign does not hold: %v", st, err)
				}
			}
			v, err := mapi.ParseVerifier(st, material)
			if err != nil && (!v.IsZero() || !keyError.MatchString(err.Error())) {
				t.Fatalf("verifier %v, error %v", v.IsZero(), err)
			}
		}
	})
}
