// How people log in at the gateway: an e-mail address, or a phone number.

package messages

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	minPhone = 5 // digits
	maxPhone = 20
)

// badLogin says why s cannot be a login, or returns "". It does not implement the mail standards:
// it keeps out what cannot be a login, and leaves the rest to the gateway, which knows.
func badLogin(s string) string {
	if n := utf8.RuneCountInString(s); n > maxLogin {
		return fmt.Sprintf("is %d characters long; at most %d", n, maxLogin)
	}
	if s == "" {
		return ""
	}
	for _, r := range s {
		if r == ' ' || unicode.IsSpace(r) {
			return "has a space inside; take it away"
		}
	}
	if reason := badText(s); reason != "" {
		return reason
	}
	if strings.ContainsRune(s, '＠') {
		return "has a full-width ＠; write @"
	}
	local, domain, isMail := strings.Cut(s, "@")
	switch {
	case !isMail && isPhone(s):
		return ""
	case !isMail:
		return "is neither an e-mail address nor a phone number; give one as the account's holder logs in with"
	case strings.Contains(domain, "@"):
		return "has more than one @; give one e-mail address"
	case local == "" || strings.ContainsAny(local, `"(),:;<>[\]`):
		return "is not an e-mail address before the @"
	case !isDomain(domain):
		return "is not an e-mail address after the @; give a domain such as example.com"
	}
	return ""
}

// isPhone reports whether s is digits in groups joined by single -, with or without a leading +.
func isPhone(s string) bool {
	digits, gap := 0, true
	for i, c := range []byte(strings.TrimPrefix(s, "+")) {
		switch {
		case '0' <= c && c <= '9':
			digits++
			gap = false
		case c == '-' && i > 0 && !gap:
			gap = true
		default:
			return false
		}
	}
	return !gap && minPhone <= digits && digits <= maxPhone
}

// isDomain reports whether s is two or more labels of letters, digits and inner hyphens.
func isDomain(s string) bool {
	labels := 0
	for label := range strings.SplitSeq(s, ".") {
		if len(label) > 63 || !IsToken(label) || strings.Contains(label, "_") || label[0] == '-' ||
			label[len(label)-1] == '-' {
			return false
		}
		labels++
	}
	return labels > 1
}
