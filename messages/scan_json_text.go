// Texts in JSON: their escapes, and their possible errors.

package messages

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonText reads from the opening quote to the end of the closing one. Without escapes the text is
// a part of the message, not a copy.
func (s *scan) jsonText() (string, bool) {
	s.pos++
	from := s.pos
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; {
		case c == '"':
			text := s.in[from:s.pos]
			s.pos++
			return text, s.checkText(text)
		case c == '\\':
			return s.jsonEscaped(from)
		case c < ' ':
			return "", s.wrong("a control character stands bare in a text; escape it")
		}
		s.pos++
	}
	return "", s.short()
}

// jsonEscaped is the rest of jsonText, for a text with escapes.
func (s *scan) jsonEscaped(from int) (string, bool) {
	b := []byte(s.in[from:s.pos])
	for s.pos < len(s.in) {
		c := s.in[s.pos]
		s.pos++
		switch {
		case c == '"':
			text := string(b)
			return text, s.checkText(text)
		case c < ' ':
			s.pos--
			return "", s.wrong("a control character stands bare in a text; escape it")
		case c != '\\':
			b = append(b, c)
		default:
			r, ok := s.jsonEscape()
			if !ok {
				return "", s.wrong("an escape is spelled wrong or is half of a surrogate pair")
			}
			b = utf8.AppendRune(b, r)
		}
	}
	return "", s.short()
}

// jsonEscape reads what follows a backslash.
func (s *scan) jsonEscape() (rune, bool) {
	c := s.peek()
	s.pos++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 && c != 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	if c != 'u' {
		return 0, false
	}
	r, ok := s.hex4()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if !strings.HasPrefix(s.in[min(s.pos, len(s.in)):], `\u`) {
		return 0, false
	}
	s.pos += 2
	low, ok := s.hex4()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

func (s *scan) hex4() (r rune, ok bool) {
	for range 4 {
		c := rune(s.peek())
		s.pos++
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | c
	}
	return r, true
}
