// Passwords: argon2id, in the text form that other programs also write.

package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost of hashing one password. OWASP's first choice of 2024 is 19 MiB and 2 passes; this is 32 MiB
// and 2 passes. At most two passwords are hashed at once, see Users.Check.
const (
	hashPasses  = 2
	hashKiB     = 32 * 1024
	hashThreads = 1
	hashBytes   = 32
	saltBytes   = 16
)

// LeastPassword is the minimum length of a password, in characters.
const LeastPassword = 12

// MostPassword bounds the password that is hashed, in bytes.
const MostPassword = 512

var errHash = errors.New("is not a password hash as 'protocolq console user add' writes it")

// HashPassword makes the text that the file of users holds for a password.
func HashPassword(password string) string {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password), salt, hashPasses, hashKiB, hashThreads, hashBytes)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashKiB, hashPasses, hashThreads,
		b64(salt), b64(sum))
}

// hash is a parsed password hash.
type hash struct {
	memory, passes uint32
	threads        uint8
	salt, sum      []byte
}

// parseHash reads the text form. Its bounds keep a file from using up all memory.
func parseHash(text string) (h hash, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); n != 3 || err != nil {
		return h, errHash
	}
	if h.memory < 8*1024 || h.memory > 256*1024 || h.passes < 1 || h.passes > 16 || h.threads < 1 || h.threads > 16 {
		return h, errHash
	}
	var saltErr, sumErr error
	h.salt, saltErr = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, sumErr = base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, errHash
	}
	return h, nil
}

// fits reports whether password is the right one.
func (h hash) fits(password string) bool {
	sum := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}
