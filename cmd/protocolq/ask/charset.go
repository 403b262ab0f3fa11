// The charset that a signature is made or checked in, and what chose it.

package ask

import (
	"strings"
	"unicode/utf8"

	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway/mapi"
)

// What can choose a charset, as it is printed.
const (
	fromFlag     = "--charset"
	fromParam    = "_input_charset"
	fromEcho     = "_input_charset in the answer"
	fromEncoding = "encoding of the answer"
	fromDefault  = "default"
)

// charsetChoice is a charset and what chose it.
type charsetChoice struct {
	mapi.Charset
	from string
}

// charsetOf takes the charset from the flag, else from the parameter _input_charset, else utf-8.
func (f *signFlags) charsetOf(params mapi.Params) (charsetChoice, error) {
	spelling, from := f.charset, fromFlag
	if spelling == "" {
		spelling, from = params.Get("_input_charset"), fromParam
	}
	if spelling == "" {
		return charsetChoice{mapi.UTF8, fromDefault}, nil
	}
	cs, err := mapi.ParseCharset(spelling)
	if err != nil {
		return charsetChoice{}, cli.Usage("%s: %w", from, err)
	}
	return charsetChoice{cs, from}, nil
}

// charsetOfAnswer gives the charset that an answer names: the request's, if the answer repeats it,
// because the answer is signed in its bytes; else the encoding that it declares; else utf-8. A
// charset that no request can have is ignored: a signature verifies only in the right bytes anyway.
func charsetOfAnswer(a mapi.Answer) charsetChoice {
	echoed, _ := a.Request("_input_charset")
	if cs, err := mapi.ParseCharset(strings.TrimSpace(echoed)); err == nil {
		return charsetChoice{cs, fromEcho}
	}
	if cs, err := mapi.ParseCharset(a.Encoding()); err == nil && a.Declared() {
		return charsetChoice{cs, fromEncoding}
	}
	return charsetChoice{mapi.UTF8, fromDefault}
}

// matters reports whether the bytes of text depend on the charset.
func (charsetChoice) matters(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}
