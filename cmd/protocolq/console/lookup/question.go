// Makes a question from what the reader typed.

package lookup

import (
	"errors"
	"strings"

	"golang.org/x/text/width"

	"protocolq/messages"
)

var errEmpty = errors.New("nothing was entered")

// question reads one field that may hold an e-mail, a phone number or an account number. Chinese
// keyboards write wide letters, and people paste spaces. The question is a copy: it is kept for
// hours, but the form is not.
func question(typed string) (messages.Query, error) {
	text := strings.Clone(strings.TrimSpace(width.Narrow.String(typed)))
	digits := strings.NewReplacer(" ", "", "-", "").Replace(text)
	q := messages.Query{V: messages.Version}
	switch {
	case text == "":
		return q, errEmpty
	case strings.Trim(digits, "0123456789") == "" && len(digits) >= 16:
		q.AccountNo = digits
	case strings.Trim(digits, "0123456789") == "":
		q.UserEmail = digits // a phone number
	default:
		q.UserEmail = text
	}
	return q, q.Check()
}

// shown is the account as everybody may see it: masked.
func shown(q messages.Query) string {
	if q.AccountNo != "" {
		return messages.MaskAccount(q.AccountNo)
	}
	return messages.MaskEmail(q.UserEmail)
}
