// What makes a personal field fit for the log: a mask for people to see, and a keyed hash to search
// by.

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

// LookUp is the keyed hash of a personal field: HMAC-SHA-256 cut to 128 bits. The zero value
// belongs to an empty field.
type LookUp [16]byte

// String is 32 hex digits, or "" for the zero value.
func (l LookUp) String() string {
	if l == (LookUp{}) {
		return ""
	}
	return hex.EncodeToString(l[:])
}

// Masked is a personal field as the log may hold it. Only a Hasher makes one, so that a raw field
// cannot get into a line by mistake.
type Masked struct {
	mask    string
	id      LookUp
	version string
}

// IsZero reports whether the field was empty.
func (m Masked) IsZero() bool { return m == Masked{} }

// String is the mask, such as a***@b***.com; "" if there is nothing to show.
func (m Masked) String() string { return m.mask }

// LookUp is the same for equal fields.
func (m Masked) LookUp() LookUp { return m.id }

// Version names the key of the look-up id.
func (m Masked) Version() string { return m.version }

// Hasher masks and hashes personal fields with a fleet's HMAC keys. All workers of a fleet, and all
// programs that search for people, need the same keys. It is safe for concurrent use.
type Hasher struct {
	current key
	older   []key
}

type key struct {
	secret  []byte
	version string
	macs    *sync.Pool // of hash.Hash: making one costs more than a sum
}

func newKey(secret []byte) key {
	return key{secret: secret, macs: &sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// minKey is the minimum length of a key in bytes: as long as the hash.
const minKey = 32

var hexKey = regexp.MustCompile(`^(?:[0-9a-fA-F]{2}){32,}$`)

// NewHasher makes a Hasher from the content of a key file: one key in hex on each line, 32 bytes or
// more. The first key is for new lines, and all keys are for searching. Otherwise the whole file is
// one key of 32 bytes or more. Hex that an editor or a shell has changed (UTF-16, a byte order
// mark, quotes) is refused: read as bytes, it would be another key than the fleet's. Errors never
// show the content.
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
		// The version follows from the key, so two keys cannot have the same version.
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

// Version names the key for new lines: 8 hex digits that follow from the key.
func (h *Hasher) Version() string { return h.current.version }

// Knows reports whether h can find a row of this version: "" is the version of a row without a
// person.
func (h *Hasher) Knows(version string) bool {
	return version == "" || version == h.current.version ||
		slices.ContainsFunc(h.older, func(k key) bool { return k.version == version })
}

// Email is a login as the log may hold it. Spellings that mean the same have the same look-up id:
// surrounding spaces and the case of A-Z do not count.
func (h *Hasher) Email(raw string) Masked {
	return h.current.masked("email", normalEmail(raw), messages.MaskEmail(raw))
}

// Account is an account number as the log may hold it.
func (h *Hasher) Account(raw string) Masked {
	return h.current.masked("account", raw, messages.MaskAccount(raw))
}

// Key is a key token as the log may hold it. A derived key can be guessed from an e-mail address,
// so that no part of it is shown.
func (h *Hasher) Key(token string) Masked { return h.current.masked("key", token, "") }

// Emails are the look-up ids by which a login may be in the log, one for each key.
func (h *Hasher) Emails(raw string) []LookUp { return h.all("email", normalEmail(raw)) }

// Accounts are the look-up ids of an account number.
func (h *Hasher) Accounts(raw string) []LookUp { return h.all("account", raw) }

// Keys are the look-up ids of a key token.
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

// normalEmail spells a login like the derivation of a key (messages.Query.KeyToken).
func normalEmail(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r | 0x20
		}
		return r
	}, strings.Trim(s, " "))
}

const redacted = "[redacted]"

// String, GoString, Format, LogValue and MarshalJSON keep the keys out of any output that a Hasher
// is printed into.
func (h *Hasher) String() string { return redacted }

// GoString is for %#v.
func (h *Hasher) GoString() string { return redacted }

// Format is for every other verb.
func (h *Hasher) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is for slog.
func (h *Hasher) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON is for JSON.
func (h *Hasher) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
