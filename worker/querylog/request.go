// The asker's own id of a request: shown as given, unless it may name a person.

package querylog

import (
	"regexp"
	"strings"

	"protocolq/messages"
)

// maxRequest has room for an id of 128 bytes, or for a mask and a look-up id.
const maxRequest = 160

// RequestID is an asker's id as the log holds and finds it. Askers choose their own ids, and some
// build them from e-mail addresses.
type RequestID struct{ text string }

// String is the id itself. For an id that may name a person it is the mask with a look-up id:
// "a***@b***.com~" and 32 hex digits.
func (r RequestID) String() string { return r.text }

// Request is an id as the log may hold it.
func (h *Hasher) Request(id string) RequestID {
	if id = clean(id, maxID); !personal(id) {
		return RequestID{text: id}
	}
	return h.current.request(id)
}

// Requests are the possible spellings of an id in the log, one for each key if it is hashed.
// Without a Hasher (nil) only a harmless id can be found.
func (h *Hasher) Requests(id string) []string {
	if id = clean(id, maxID); h == nil || !personal(id) {
		return []string{id}
	}
	all := []string{h.current.request(id).text}
	for _, k := range h.older {
		all = append(all, k.request(id).text)
	}
	return all
}

func (k key) request(id string) RequestID {
	mask := hidden
	if strings.Contains(id, "@") {
		mask = messages.MaskEmail(id)
	}
	return RequestID{text: clean(mask, maxMask) + "~" + k.sum("request", id).String()}
}

// hidden replaces text that may name a person.
const hidden = "***"

// A login or an account number inside a longer text: an @ in any of its
// spellings, 16 digits or more in a row, or a Chinese mobile number.
var (
	anAt     = regexp.MustCompile(`@|＠|﹫|(?i:%40|=40)`)
	anNumber = regexp.MustCompile(`[0-9]{16}|(?:^|[^0-9])1[3-9][0-9]{9}(?:[^0-9]|$)|\+[0-9]`)
)

func personal(s string) bool {
	return !plain(s) && (anAt.MatchString(s) || anNumber.MatchString(s))
}

// plain is true for most ids: they hold nothing that could begin a login or a number. This check
// takes a fiftieth of the time of the full one.
func plain(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			if digits++; digits == 11 {
				return false
			}
		case c == '@' || c == '%' || c == '=' || c == '+' || c >= 0x80:
			return false
		default:
			digits = 0
		}
	}
	return true
}
