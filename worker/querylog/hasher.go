// What makes a personal field fit for the log: a mask for people, and a keyed hash by which it is
// found again.

package querylog

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"

	"protocolq/messages"
)

// LookUp is the keyed hash of a personal field: HMAC-SHA-256 cut to 128 bits.
// The zero value is that of an empty field.
type LookUp [16]byte

// String is 32 hex digits, "" of the zero value.
func (l LookUp) String() string {
	if l == (LookUp{}) {
		return ""
	}
	return hex.EncodeToString(l[:])
}

// Masked is a personal field as the log may hold it. Only a Hasher makes one,
// so a raw field cannot get into a line by mistake.
type Masked struct {
	mask    string
	id      LookUp
	version string
}

// IsZero reports whether the field was empty.
func (m Masked) IsZero() bool { return m == Masked{} }

// String is the mask, such as a***@b***.com; "" where there is nothing to show.
func (m Masked) String() string { return m.mask }

// LookUp is what equal fields have in common.
func (m Masked) LookUp() LookUp { return m.id }

// Version names the key of the look-up id.
func (m Masked) Version() string { return m.version }

// Hasher masks and hashes personal fields under a fleet's key. All workers of a
// fleet, and who looks people up, must have the same. It is safe for concurrent use.
type Hasher struct {
	current key
	older   []key
}

type key struct {
	secret  []byte
	version string
	macs    *sync.Pool // of hash.Hash: setting one up costs more than a sum
}

func newKey(secret []byte) key {
	return key{secret: secret, macs: &sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// minKey is the length of a key in bytes: as long as the hash.
const minKey = 32

var hexKey = regexp.MustCompile(`^(?:[0-9a-fA-F]{2}){32,}$`)

// NewHasher makes a Hasher from what a key file holds: one key a line in hex, 32
// bytes or more, the first for new lines and all of them to look people up; or
// else the whole file is one key of 32 bytes or more. Hex that an editor or a
// shell has dressed up (UTF-16, a byte order mark, quotes) is refused: as bytes
// it would be another key than the fleet's. Errors never show what is in it.
func NewHasher(material []byte) (*Hasher, error) {
	lines := bytes.Fields(material)
	secrets := make([][]byte, 0, len(lines))
	for _, line := range lines {
		if !hexKey.Match(line) {
			secrets = nil
			break
		}
		secret, err := hex.DecodeString(string(line))
		if err != nil {
			return nil, errors.New("is not hex")
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		if isDressedHex(material) {
			return nil, errors.New("holds hex in UTF-16, in quotes or after a byte order mark: save it as plain text")
		}
		if len(bytes.TrimSpace(material)) < minKey {
			return nil, fmt.Errorf("holds %d bytes; a key has %d or more, for instance by: openssl rand -hex 32",
				len(bytes.TrimSpace(material)), minKey)
		}
		secrets = [][]byte{bytes.Clone(material)}
	}
	h := &Hasher{}
	for _, secret := range secrets {
		k := newKey(secret)
		// A version that follows from the key cannot be given to two keys.
		id := k.sum("version", "")
		k.version = hex.EncodeToString(id[:4])
		h.older = append(h.older, k)
	}
	h.current, h.older = h.older[0], h.older[1:]
	return h, nil
}

var undress = strings.NewReplacer("\uFEFF", "", "\xFF\xFE", "", "\xFE\xFF", "", "\x00", "", `"`, "", "'", "")

func isDressedHex(material []byte) bool {
	lines := strings.Fields(undress.Replace(string(material)))
	return len(lines) > 0 && !slices.ContainsFunc(lines, func(line string) bool { return !hexKey.MatchString(line) })
}

func (k key) sum(kind, text string) (id LookUp) {
	mac := k.macs.Get().(hash.Hash)
	defer k.macs.Put(mac)
	mac.Reset()
	var sum [sha256.Size]byte
	b := append(append(append(make([]byte, 0, 128), "protocolq log "...), kind...), 0)
	_, _ = mac.Write(append(b, text...))
	copy(id[:], mac.Sum(sum[:0]))
	return id
}

func (k key) masked(kind, text, mask string) Masked {
	if text == "" {
		return Masked{}
	}
	return Masked{mask: mask, id: k.sum(kind, text), version: k.version}
}

// Version names the key that new lines are made with: 8 hex digits that follow from it.
func (h *Hasher) Version() string { return h.current.version }

// Knows reports whether a row of this version can be found by h: "" is of one that names nobody.
func (h *Hasher) Knows(version string) bool {
	return version == "" || version == h.current.version ||
		slices.ContainsFunc(h.older, func(k key) bool { return k.version == version })
}

// Email is a login as the log may hold it. Spellings that ask the same question
// have the same look-up id: spaces around it and the case of A-Z do not count.
func (h *Hasher) Email(raw string) Masked {
	return h.current.masked("email", normalEmail(raw), messages.MaskEmail(raw))
}

// Account is an account number as the log may hold it.
func (h *Hasher) Account(raw string) Masked {
	return h.current.masked("account", raw, messages.MaskAccount(raw))
}

// Key is a key token as the log may hold it: a derived one can be guessed from
// an e-mail address, so nothing of it is shown.
func (h *Hasher) Key(token string) Masked { return h.current.masked("key", token, "") }

// Emails are the look-up ids under which a login may be in the log, one for each key.
func (h *Hasher) Emails(raw string) []LookUp { return h.all("email", normalEmail(raw)) }

// Accounts are those of an account number.
func (h *Hasher) Accounts(raw string) []LookUp { return h.all("account", raw) }

// Keys are those of a key token.
func (h *Hasher) Keys(token string) []LookUp { return h.all("key", token) }

func (h *Hasher) all(kind, text string) []LookUp {
	if text == "" {
		return nil
	}
	ids := []LookUp{h.current.sum(kind, text)}
	for _, k := range h.older {
		ids = append(ids, k.sum(kind, text))
	}
	return ids
}

// normalEmail is spelled as the derivation of a key spells it (messages.Query.KeyToken).
func normalEmail(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r | 0x20
		}
		return r
	}, strings.Trim(s, " "))
}

const redacted = "[redacted]"

// String, GoString, Format, LogValue and MarshalJSON keep the keys out of whatever a Hasher is
// printed into.
func (h *Hasher) String() string { return redacted }

// GoString is for %#v.
func (h *Hasher) GoString() string { return redacted }

// Format is for every other verb.
func (h *Hasher) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is for slog.
func (h *Hasher) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON is for JSON.
func (h *Hasher) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
