// Tokens, which callers present. The door keeps only their hashes.

package httpdoor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
)

// A token is "pq_" and 52 characters of base32: 256 random bits, so that a plain hash is safe to
// store, with a beginning by which a secret scanner finds it.
const (
	tokenHead   = "pq_"
	tokenBytes  = 32
	tokenLength = len(tokenHead) + 52
)

var tokenAlphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// tokenHash is the SHA-256 sum of a token. How long a look-up of the hash takes reveals nothing
// about the token.
type tokenHash [sha256.Size]byte

const hashHead = "sha256:"

// newToken makes a token. Anybody who has it may ask.
func newToken() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return tokenHead + strings.ToLower(tokenAlphabet.EncodeToString(b[:]))
}

func hashOf(token string) tokenHash { return sha256.Sum256([]byte(token)) }

func (h tokenHash) String() string { return hashHead + hex.EncodeToString(h[:]) }

var errTokenHash = errors.New("must be sha256: and 64 hex digits, as 'protocolq http token' prints it; never the " +
	"token itself")

// parseHash reads what String wrote. Its error does not show the text: it may be a token.
func parseHash(text string) (h tokenHash, err error) {
	digits, ok := strings.CutPrefix(text, hashHead)
	if !ok || len(digits) != 2*len(h) {
		return h, errTokenHash
	}
	if _, err := hex.Decode(h[:], []byte(digits)); err != nil {
		return h, errTokenHash
	}
	return h, nil
}

// bearer is the token of a request; ok is false if there is none, or if it cannot be one.
func bearer(header http.Header) (token string, ok bool) {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return token, strings.EqualFold(scheme, "Bearer") && len(token) == tokenLength &&
		strings.HasPrefix(token, tokenHead)
}
