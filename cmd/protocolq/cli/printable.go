// Text from outside made safe for a terminal: what could move the cursor, forge a line or change
// the reading direction is shown as an escape.

package cli

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable returns s with every rune that is not visible (controls, line separators, bidi marks,
// broken bytes) written as its Go escape. Letters of every script and all spaces stay.
func Printable(s string) string {
	if isPrintable(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		i += size
	}
	return b.String()
}

func isPrintable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		if !unicode.IsGraphic(r) {
			return false
		}
	}
	return true
}

// safeJSON is a writer of whole JSON documents. It writes invisible characters that encoding/json
// leaves raw (bidi marks, the second set of controls) as JSON escapes: the value stays the same for
// a program and does nothing to a terminal.
type safeJSON struct{ w io.Writer }

// Write passes p on, escaped.
func (s safeJSON) Write(p []byte) (int, error) {
	if _, err := s.w.Write(escapeJSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func escapeJSON(p []byte) []byte {
	hidden := func(r rune) bool { return r >= utf8.RuneSelf && !unicode.IsGraphic(r) }
	if !bytes.ContainsFunc(p, hidden) {
		return p
	}
	var b bytes.Buffer
	for _, r := range string(p) {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}
