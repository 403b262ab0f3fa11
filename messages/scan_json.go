// The walk over JSON: without recursion, stricter than most readers (no name twice, no half
// surrogates, nothing after the end).

package messages

import (
	"strconv"
	"strings"
)

// walkJSON walks the whole message; s.fault says what was wrong with it.
func (s *scan) walkJSON() bool {
	if s.next() != '{' {
		return s.fail("is not a JSON object")
	}
	s.pos++
	if !s.open(kindMap, 0) {
		return false
	}
	for s.depth > 0 {
		if !s.jsonStep() {
			return false
		}
	}
	s.next()
	return s.rest()
}

// jsonStep reads the end of the innermost map or list, or its next value with the comma and the
// name before it.
func (s *scan) jsonStep() bool {
	lv := &s.levels[s.depth-1]
	end := byte(']')
	if lv.isMap {
		end = '}'
	}
	c := s.next()
	if c == end {
		s.pos++
		s.shut()
		return true
	}
	if lv.items > 0 {
		if c != ',' {
			return s.wrong("a comma or a closing bracket is expected")
		}
		s.pos++
		s.next()
	}
	lv.items++
	if lv.isMap && !s.jsonName() {
		return false
	}
	return s.jsonValue()
}

func (s *scan) jsonName() bool {
	if s.depth == 1 {
		s.field = ""
	}
	if s.next() != '"' {
		return s.wrong("a name in double quotes is expected")
	}
	name, ok := s.jsonText()
	if !ok || !s.setName(name) {
		return false
	}
	if s.next() != ':' {
		return s.wrong("a colon is expected")
	}
	s.pos++
	s.next()
	return true
}

func (s *scan) jsonValue() bool {
	switch c := s.next(); {
	case c == '"':
		text, ok := s.jsonText()
		return ok && s.put(field{kind: kindText, text: text})
	case c == '{':
		s.pos++
		return s.open(kindMap, 0)
	case c == '[':
		s.pos++
		return s.open(kindList, 0)
	case c == '-' || '0' <= c && c <= '9':
		return s.jsonNumber()
	case c == 't':
		return s.jsonWord("true", field{kind: kindBool, num: 1})
	case c == 'f':
		return s.jsonWord("false", field{kind: kindBool})
	case c == 'n':
		return s.jsonWord("null", field{kind: kindNil})
	}
	return s.wrong("a value is expected")
}

func (s *scan) jsonWord(word string, f field) bool {
	if !strings.HasPrefix(s.in[s.pos:], word) {
		return s.wrong("a value is expected")
	}
	s.pos += len(word)
	return s.put(f)
}

// jsonNumber reads a number. With a fraction or an exponent it is a float, see [whole].
func (s *scan) jsonNumber() bool {
	from := s.pos
	minus := s.in[s.pos] == '-'
	if minus {
		s.pos++
	}
	digits := s.digits()
	if digits == "" || digits[0] == '0' && len(digits) > 1 {
		return s.wrong("a number is spelled wrong")
	}
	k := kindInt
	if s.peek() == '.' {
		s.pos++
		k = kindFloat
		if s.digits() == "" {
			return s.wrong("a number is spelled wrong")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		k = kindFloat
		if c = s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == "" {
			return s.wrong("a number is spelled wrong")
		}
	}
	if k == kindFloat {
		f, err := strconv.ParseFloat(s.in[from:s.pos], 64)
		if err != nil { // beyond the range of floats
			return s.put(field{kind: kindFloat})
		}
		return s.put(whole(f))
	}
	return s.put(integer(digits, minus))
}

// integer is the value of digits, or kindBig if int64 cannot hold it.
func integer(digits string, minus bool) field {
	if len(digits) > 19 {
		return field{kind: kindBig}
	}
	var n uint64
	for i := range len(digits) {
		n = n*10 + uint64(digits[i]-'0')
	}
	switch {
	case minus && n <= 1<<63:
		return field{kind: kindInt, num: -int64(n)}
	case !minus && n < 1<<63:
		return field{kind: kindInt, num: int64(n)}
	}
	return field{kind: kindBig}
}

func (s *scan) digits() string {
	from := s.pos
	for s.pos < len(s.in) && '0' <= s.in[s.pos] && s.in[s.pos] <= '9' {
		s.pos++
	}
	return s.in[from:s.pos]
}

// next skips spaces and returns the byte after them, 0 at the end.
func (s *scan) next() byte {
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *scan) peek() byte {
	if s.pos < len(s.in) {
		return s.in[s.pos]
	}
	return 0
}

// wrong is the fault of bytes that are not JSON, with their position.
func (s *scan) wrong(what string) bool {
	if s.pos >= len(s.in) {
		return s.short()
	}
	return s.fail("is not JSON at byte %d: %s", s.pos, what)
}
