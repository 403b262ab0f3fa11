// The charsets of mapi, encoding and decoding, with an error for what they cannot hold.

package mapi

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

type charsetKind int

const (
	noCharset charsetKind = iota
	kindUTF8
	kindGBK
	kindGB2312
	kindGB18030 // only declared by answers; no request may ask for it
)

// Charset is one of the three values of _input_charset: utf-8, gbk or gb2312. It keeps the spelling
// that it was parsed from, because the spelling that is sent is also signed. The zero Charset
// encodes nothing.
type Charset struct {
	kind     charsetKind
	spelling string
}

// The three charsets in the spelling of the gateway owner's documents.
var (
	UTF8   = Charset{kindUTF8, "utf-8"}
	GBK    = Charset{kindGBK, "gbk"}
	GB2312 = Charset{kindGB2312, "gb2312"}
)

// ParseCharset reads a charset in any mixture of capitals and small letters.
func ParseCharset(spelling string) (Charset, error) {
	switch strings.ToLower(spelling) {
	case "utf-8":
		return Charset{kindUTF8, spelling}, nil
	case "gbk":
		return Charset{kindGBK, spelling}, nil
	case "gb2312":
		return Charset{kindGB2312, spelling}, nil
	}
	return Charset{}, fmt.Errorf("charset %q is not one of utf-8, gbk, gb2312", clip(spelling))
}

// String returns the spelling, as sent and signed.
func (c Charset) String() string { return c.spelling }

// IsZero reports whether no charset has been chosen.
func (c Charset) IsZero() bool { return c.kind == noCharset }

// MarshalText makes logs and JSON show the spelling.
func (c Charset) MarshalText() ([]byte, error) { return []byte(c.spelling), nil }

// UnmappableError says that a charset cannot hold a character. It never holds the text around it,
// which may be a person's name.
type UnmappableError struct {
	Rune    rune   // the first such character; utf8.RuneError also for text that is not UTF-8
	Charset string // the charset in the spelling given
	Param   string // the parameter's name, if a parameter was encoded
}

// Error names the character and, where known, the parameter.
func (e *UnmappableError) Error() string {
	where := ""
	if e.Param != "" {
		where = fmt.Sprintf("parameter %q: ", e.Param)
	}
	if e.Rune == utf8.RuneError {
		return fmt.Sprintf("%stext is broken (not UTF-8, or U+FFFD) and cannot be written in %s", where, e.Charset)
	}
	return fmt.Sprintf("%scharacter %q (%U) cannot be written in %s", where, e.Rune, e.Rune, e.Charset)
}

var errNoCharset = errors.New("no charset chosen")

// Encode returns the bytes of a UTF-8 text in c, or an *UnmappableError for the first character
// that c cannot hold.
func (c Charset) Encode(text string) ([]byte, error) {
	return c.append(make([]byte, 0, len(text)), text)
}

// append is Encode, appended to dst.
func (c Charset) append(b []byte, text string) ([]byte, error) {
	switch c.kind {
	case kindUTF8:
		if !utf8.ValidString(text) {
			return nil, &UnmappableError{Rune: utf8.RuneError, Charset: c.spelling}
		}
		return append(b, text...), nil
	case kindGBK, kindGB2312:
		return c.appendGB(b, text)
	default:
		return nil, errNoCharset
	}
}

// Decode returns the text of bytes in c, or an error for the first byte that is not valid in c.
func (c Charset) Decode(b []byte) (string, error) {
	switch c.kind {
	case kindUTF8:
		if !utf8.Valid(b) {
			return "", fmt.Errorf("bytes are not valid %s", c.spelling)
		}
		return string(b), nil
	case kindGBK, kindGB2312:
		return c.decodeGB(b)
	case kindGB18030:
		return decodeGB18030(b)
	default:
		return "", errNoCharset
	}
}
