// Reading keys from files of every form that merchants have them in.

package mapi

import "errors"

// ParseKey reads a signing key.
func ParseKey(t SignType, material []byte) (Key, error) { return Key{}, errors.New("to be written") }

// NewMD5Key takes an MD5 key without ParseKey's rule on its shape.
func NewMD5Key(secret string) (Key, error) { return Key{}, errors.New("to be written") }

// ParseVerifier reads what checks signs.
func ParseVerifier(t SignType, material []byte) (Verifier, error) {
	return Verifier{}, errors.New("to be written")
}

// DecodeSign gives the bytes of a sign as it was sent.
func DecodeSign(t SignType, sign string) ([]byte, error) { return nil, errors.New("to be written") }
