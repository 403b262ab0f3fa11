// Likely mistakes in given parameters: they are reported before anything is signed, never
// corrected.

package ask

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"protocolq/gateway/mapi"
)

var (
	percentEncoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	escaped        = regexp.MustCompile(`&(amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});`)
	pasted         = regexp.MustCompile(`^[^?]*&[A-Za-z_][A-Za-z0-9_]*=`) // after a ? it belongs to a URL
)

// slips gives one warning for each kind of slip, naming the parameters and none of their values.
func slips(params mapi.Params, t mapi.SignType, cs charsetChoice) (warnings []string) {
	kinds := []struct {
		is  func(value string) bool
		say string
	}{
		{percentEncoded.MatchString, "looks percent-encoded: values are signed raw, and encoded in the body"},
		{escaped.MatchString, "looks escaped for XML or HTML: values are signed raw"},
		{func(v string) bool { return strings.TrimSpace(v) != v },
			"has white space around its value, which is signed too"},
		{quoted, "has quotes around its value, which are signed too"},
		{pasted.MatchString, "holds what looks like more parameters: give each as an argument of its own"},
		{looksGBK, "is in bytes that " + likeGBK},
	}
	for _, kind := range kinds {
		if names := namesWhere(params, kind.is); names != "" {
			warnings = append(warnings, names+" "+kind.say)
		}
	}
	if params.Get(mapi.ParamSign) != "" {
		warnings = append(warnings, "sign is given: it is no part of what is signed, and replaced")
	}
	if said := params.Get(mapi.ParamSignType); said != "" {
		warnings = append(warnings,
			fmt.Sprintf("sign_type is given: it is no part of what is signed, and --sign-type %s counts", t))
	}
	if other := contradicts(params, cs); other != "" {
		warnings = append(warnings, other)
	}
	return warnings
}

// quoted reports whether a value has quotes that the shell did not remove, as in partner='"2088…"'.
func quoted(value string) bool {
	last := len(value) - 1
	return last > 0 && (value[0] == '"' || value[0] == '\'') && value[last] == value[0]
}

// namesWhere lists the parameters with such a value, a few of them by name.
func namesWhere(params mapi.Params, is func(value string) bool) string {
	const most = 4
	var names []string
	more := 0
	for _, p := range params {
		switch {
		case p.Name == mapi.ParamSign || p.Name == mapi.ParamSignType || !is(p.Value):
		case len(names) < most:
			names = append(names, p.Name)
		default:
			more++
		}
	}
	if more > 0 {
		return fmt.Sprintf("%s (and %d more)", strings.Join(names, ", "), more)
	}
	return strings.Join(names, ", ")
}

// contradicts says that --charset and _input_charset differ, if that changes the bytes; otherwise
// "".
func contradicts(params mapi.Params, cs charsetChoice) string {
	said := params.Get("_input_charset")
	text, err := params.StringToSign()
	if cs.from != fromFlag || said == "" || strings.EqualFold(said, cs.String()) || err != nil || !cs.matters(text) {
		return ""
	}
	return fmt.Sprintf("--charset is %s and _input_charset %s: the gateway checks a sign in the bytes of "+
		"_input_charset", cs, said)
}

// likeGBK ends a sentence about bytes that look like GBK.
const likeGBK = "look like GBK, as of a shell or file in GBK: values are taken in UTF-8, so convert them first, as " +
	"with iconv -f gbk -t utf-8"

// looksGBK reports whether a value that should be UTF-8 is more likely GBK: its bytes are valid
// GBK, and either not valid UTF-8, or by chance UTF-8 of letters that GBK lacks. Two bytes of GBK
// may form a letter of two bytes (支 is U+05A7 then); for Latin, Greek and Cyrillic letters that
// proves nothing.
func looksGBK(value string) bool {
	if _, err := mapi.GBK.Encode(value); err == nil {
		return false
	}
	text, err := mapi.GBK.Decode([]byte(value))
	if err != nil || !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return false
	}
	return !utf8.ValidString(value) || !strings.ContainsFunc(value, func(r rune) bool {
		return r > 0x7FF || r >= utf8.RuneSelf && unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
	})
}

// signWithin says where the signature of a list without one seems to be: a pasted text is one
// argument.
func signWithin(params mapi.Params) string {
	if names := namesWhere(params,
		func(v string) bool { return strings.Contains(v, "&sign=") && pasted.MatchString(v) }); names != "" {
		return "a sign is inside of the value of " + names + ": give each parameter as an argument of its own"
	}
	return ""
}

// bytesHint says what is wrong with the bytes of params, "" if nothing is.
func bytesHint(params mapi.Params) string {
	if names := namesWhere(params, looksGBK); names != "" {
		return "the bytes of " + names + " " + likeGBK
	}
	if names := namesWhere(params, func(v string) bool { return !utf8.ValidString(v) }); names != "" {
		return "the bytes of " + names + " are not UTF-8, in which values are taken"
	}
	return ""
}
