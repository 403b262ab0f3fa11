// Masks what may be personal in a text that quotes an asker.

package cli

import (
	"regexp"
	"strings"

	"protocolq/messages"
)

var digits = regexp.MustCompile(`\+?\d[\d-]{5,}\d`)

// Masked is a text of ours that may quote an asker's, with what may be personal masked.
func Masked(s string) string {
	s = messages.MaskText(s)
	return digits.ReplaceAllStringFunc(s,
		func(number string) string { return messages.MaskAccount(strings.ReplaceAll(number, "-", "")) })
}
