// The body that came back instead of an answer, shown to a person who looks for a fault.

package ask

import (
	"regexp"
	"strings"

	"protocolq/cmd/protocolq/cli"
)

// shownExcerpt is how many characters of a body are shown.
const shownExcerpt = 200

// Values that a body may repeat from the request. A signature may be in a query string, in XML, in
// HTML or in JSON; the other two patterns find one without a name before it.
var (
	namedSign = regexp.MustCompile(`(?i)\b(sign["'\s]*(?:value)?["'\s]*(?:[=:>]|%3d)["'\s]*)[^\s"'<>&;,]{8,}`)
	hexSign   = regexp.MustCompile(`[0-9a-fA-F]{32,}`)
	longSign  = regexp.MustCompile(`[A-Za-z0-9+/]{64,}={0,2}`)
)

// atSigns are the spellings of @ in forms, XML, HTML and JSON, which are needed to recognise an
// e-mail.
var atSigns = strings.NewReplacer("%40", "@", "%2540", "@", "&#64;", "@", "&#x40;", "@", "&commat;", "@", `\u0040`, "@")

// shownBody is the beginning of a foreign body, on one line, safe for a terminal and without
// e-mails, accounts, partner ids and signatures. It masks before it cuts, because half an e-mail is
// not recognised.
func shownBody(excerpt string) string {
	text := strings.Join(strings.Fields(excerpt), " ")
	text = atSigns.Replace(text)
	text = namedSign.ReplaceAllString(text, "${1}****")
	text = hexSign.ReplaceAllString(text, "****")
	text = longSign.ReplaceAllString(text, "****")
	text = cli.Printable(cli.Masked(text))
	n := 0
	for i := range text {
		if n == shownExcerpt {
			return text[:i] + "…"
		}
		n++
	}
	return text
}
