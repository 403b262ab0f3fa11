// Masks what may be personal in a text that quotes an asker.

package cli

import (
	"regexp"
	"strings"

	"protocolq/messages"
)

var digits = regexp.MustCompile(`\+?\d[\d-]{5,}\d`)

// Masked is one of our texts that may quote an asker, with what may be personal masked.
func Masked(s string) string {
	s = messages.MaskText(s)
	return digits.ReplaceAllStringFunc(s,
		func(number string) string { return messages.MaskAccount(strings.ReplaceAll(number, "-", "")) })
}
