// Personal fields as a log, an event or a page may show them.

package messages

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const stars = "***"

// MaskEmail shows only the first character of each side of a login, and the last part of the
// domain: "alice@mail.example.com" is "a***@m***.com", a phone login "1***". For odd input it shows
// no more than that; empty stays empty.
func MaskEmail(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return first(s) + stars
	}
	local, domain := s[:at], s[at+1:]
	masked := first(local) + stars + "@" + first(domain) + stars
	if dot := strings.LastIndexByte(domain, '.'); dot > 0 && isTopLevel(domain[dot+1:]) {
		masked += domain[dot:]
	}
	return masked
}

var emails = regexp.MustCompile(`[^\s"'<>(),;:=]+@[^\s"'<>(),;:=]*`)

// MaskText shows a text of an asker, such as a key or an id, and masks everything in it that looks
// like an e-mail address.
func MaskText(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	return emails.ReplaceAllStringFunc(s, MaskEmail)
}

// first is the first character, * if it cannot be shown, "" for an empty text.
func first(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case size == 0:
		return ""
	case r == utf8.RuneError || r == ' ' || r == '@' || !unicode.IsPrint(r):
		return "*"
	}
	return s[:size]
}

// isTopLevel distinguishes a short, plain last part of a domain (com, cn, example) from something
// that may be personal.
func isTopLevel(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return 2 <= len(s) && len(s) <= 7
}

// MaskAccount shows the first and last four digits of an account number: "2088****1234". Anything
// that is not 12 or more digits is "****"; empty stays empty.
func MaskAccount(s string) string {
	if s == "" {
		return ""
	}
	if len(s) < 12 || !isDigits(s) {
		return "****"
	}
	return s[:4] + "****" + s[len(s)-4:]
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
