// An MD5 key's file: 32 letters and digits, one line end, and nothing else that would be signed
// with by mistake.

package mapi

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

const md5KeyLength = 32

// parseMD5 requires the form in which the gateway issues keys (the appendix's security check code).
// So a wrong file or a truncated key is found here, not by an ILLEGAL_SIGN hours later. One line
// end is dropped, because editors add it. Anything else could be part of the key.
func parseMD5(material []byte) (*md5Key, error) {
	if isUTF16(material) {
		return nil, errUTF16
	}
	text := withoutLineEnd(material)
	if len(text) == 0 {
		return nil, errEmpty
	}
	if err := foreign(text); err != nil {
		return nil, err
	}
	if len(text) != md5KeyLength {
		return nil, fmt.Errorf("it has %d letters and digits, it must have %d", len(text), md5KeyLength)
	}
	secret := string(text)
	return &md5Key{&secret}, nil
}

func withoutLineEnd(text []byte) []byte {
	for _, end := range []string{"\r\n", "\n", "\r"} {
		if rest, found := bytes.CutSuffix(text, []byte(end)); found {
			return rest
		}
	}
	return text
}

// foreign finds a character that is not a letter or digit, and says what it probably is.
func foreign(text []byte) error {
	switch {
	case bytes.HasPrefix(text, []byte("\uFEFF")):
		return errors.New("it begins with a byte order mark: save it as UTF-8 without one")
	case bytes.Contains(text, []byte(pemBegin)):
		return errors.New("this is a PEM file, an MD5 key of 32 letters and digits is needed")
	case bytes.ContainsAny(text, "\r\n"):
		return errors.New("it has more than one line: leave only the 32 letters and digits in the file")
	}
	at := bytes.IndexFunc(text, func(r rune) bool { return !isLetterOrDigit(r) })
	if at < 0 {
		return nil
	}
	r, _ := utf8.DecodeRune(text[at:])
	const only = "leave only the 32 letters and digits in the file"
	what := "no letter or digit"
	switch {
	case r == '"' || r == '\'':
		return fmt.Errorf("it has quotes around the key: %s", only)
	case r == '=' || r == ':':
		return fmt.Errorf("it has a name or sign before or after the key: %s", only)
	case r == ' ' || r == '\t':
		what = "white space"
	case unicode.IsControl(r):
		what = "a control character"
	case r != utf8.RuneError && (!unicode.IsPrint(r) || unicode.IsSpace(r)):
		what = "an invisible character"
	}
	return fmt.Errorf("byte %d of %d is %s: %s", at+1, len(text), what, only)
}

// isLetterOrDigit knows only ASCII, as does the key.
func isLetterOrDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
