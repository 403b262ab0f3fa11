// The usual mistakes in signing, each as a change that would undo it.

package mapi

import (
	"crypto"
	"html"
	"net/url"
	"slices"
	"strings"
)

// mistake is one wrong way to sign or to send.
type mistake struct {
	what   string // as in "with … it would verify"
	advice string // what to do, or what has happened; may be empty
	// apply changes a reading to how it would be without the mistake in the signature, or with the
	// mistake in the text. It reports whether that is a change at all.
	apply func(*reading) bool
}

// mistakes are tried in this order. Some produce the same bytes: the one that assumes more about
// the values comes first. A mistake in the bytes of values comes before one in their characters.
var mistakes = []mistake{
	{"sign type RSA2", "it was made with SHA-256, as RSA2 is, and not with SHA-1", hashed(crypto.SHA256)},
	{"sign type RSA", "it was made with SHA-1, as RSA is, and not with SHA-256", hashed(crypto.SHA1)},
	{"the values' bytes taken for gbk",
		"they are gbk, as of a shell in GBK: convert them to UTF-8 first, as with iconv -f gbk -t utf-8",
		inValues(shellGBK)},
	{"the values' bytes taken for utf-8", "they are UTF-8 that was read as gbk", inValues(readAsGBK)},
	{"charset gbk", "what is signed must be in the bytes of _input_charset", in(GBK)},
	{"charset utf-8", "what is signed must be in the bytes of _input_charset", in(UTF8)},

	{"+ for each blank in the sign", "a + must be sent as %2B", inSign(swap(" ", "+"))},
	{"the sign percent-decoded", "", inSign(unescapePath)},
	{"the sign in small letters", "an MD5 sign is sent in small letters", onlyMD5(inSign(strings.ToLower))},
	{"the blanks and line breaks in the sign left out", "", inSign(dropSpace)},
	{"the quotes around the sign left out", "", inSign(unquote)},
	{"the sign in standard base64", "it was sent in base64url (- and _ for + and /) or without its =",
		inSign(standardBase64)},
	{"the sign in hexadecimal digits", "an MD5 sign is sent in hexadecimal digits, not in base64",
		onlyMD5(inSign(base64ToHex))},
	{"the sign in base64", "an RSA or DSA sign is sent in base64, not in hexadecimal digits", inSign(hexToBase64)},

	{"sign_type in the signed text", "sign_type is sent and not signed", signedType},
	{"the empty parameters in the signed text", "they are neither sent nor signed", signedEmpty},
	{"_input_charset in the signed text", "it is sent and signed", signedCharset},
	{"the parameters in the order given", "they are signed in the byte order of their names", ordered(nil)},
	{"the parameters sorted without regard to capitals", "they are signed in the byte order of their names",
		ordered(bySmall)},
	{"the parameters sorted with _ behind all letters", "they are signed in the byte order of their names",
		ordered(byCapital)},
	{"an & behind the last parameter", "nothing stands behind its value but an MD5 key", behind("&")},
	{"&key= before the key", "nothing stands between the text and the key", onlyMD5(behind("&key="))},
	{"a line end behind the key", "the key's file was read with its line end", keyed("\n")},
	{"a CR and a line end behind the key", "the key's file was read with its line end", keyed("\r\n")},
	{"the key before the text", "it stands behind the text", keyBefore},
	{"no key", "an MD5 sign is of the text and the key", noKey},

	{"the values' bytes taken for utf-8", "they are UTF-8 that was read as Latin-1", inValues(bytesAs(latin1, UTF8))},
	{"the values' bytes taken for gbk", "they are gbk that was read as Latin-1", inValues(bytesAs(latin1, GBK))},
	{"? for each character beyond ASCII", "it was signed in a charset that cannot hold them", inValues(questioned)},
	{"a blank for each + in the values", "they are given as in a form's body, where + is a blank",
		inValues(plain(swap("+", " ")))},
	{"a + for each blank in the values",
		"a + was sent unencoded and became a blank, or they were encoded before they were signed",
		inValues(plain(swap(" ", "+")))},
	{"the values percent-decoded", "they are given encoded, and were signed raw",
		inValues(percentDecoded(url.QueryUnescape))},
	{"the values percent-decoded", "they are given encoded, and were signed raw",
		inValues(percentDecoded(url.PathUnescape))},
	{"the values percent-encoded", signedEncoded, inValues(percentEncoded(url.QueryEscape))},
	{"the values percent-encoded", signedEncoded, inValues(percentEncoded(url.QueryEscape, smallHex))},
	{"the values percent-encoded", signedEncoded, inValues(percentEncoded(url.QueryEscape, swap("+", "%20")))},
	{"the values percent-encoded", signedEncoded,
		inValues(percentEncoded(url.QueryEscape, swap("+", "%20"), smallHex))},
	{"the values percent-encoded", signedEncoded,
		inValues(percentEncoded(url.QueryEscape, swap("%2A", "*"), swap("~", "%7E")))},
	{"the values percent-encoded", signedEncoded, inValues(percentEncoded(url.PathEscape))},
	{"& for &amp; in the values", "they are given escaped, and were signed raw", inValues(plain(html.UnescapeString))},
	{"&amp; for & in the values", "they were escaped before they were signed", inValues(plain(xmlEscape.Replace))},
	{"&amp; for & in the values", "they were escaped before they were signed", inValues(plain(html.EscapeString))},
	{"the values without white space around them", "it is part of a value, and was not signed",
		inValues(plain(strings.TrimSpace))},
	{"CR and line feed at the ends of lines", "", inValues(plain(swap("\n", "\r\n")))},
	{"line feeds at the ends of lines", "", inValues(plain(swap("\r\n", "\n")))},
}

const signedEncoded = "they were encoded before they were signed; sign them raw, and encode to send"

func hashed(hash crypto.Hash) func(*reading) bool {
	return func(r *reading) bool {
		key, ok := r.check.(*rsaVerifier)
		if !ok || key.hash == hash {
			return false
		}
		r.check = &rsaVerifier{key: key.key, hash: hash}
		return true
	}
}

func in(cs Charset) func(*reading) bool {
	return func(r *reading) bool {
		changed := r.charset.kind != cs.kind
		r.charset = cs
		return changed
	}
}

func onlyMD5(apply func(*reading) bool) func(*reading) bool {
	return func(r *reading) bool {
		_, ok := r.check.(*md5Key)
		return ok && apply(r)
	}
}

func signedType(r *reading) bool {
	r.withType = true
	if r.params.Get(ParamSignType) == "" {
		t := MD5
		switch key := r.check.(type) {
		case *rsaVerifier:
			t = map[crypto.Hash]SignType{crypto.SHA1: RSA, crypto.SHA256: RSA2}[key.hash]
		case *dsaVerifier:
			t = DSA
		}
		r.params = append(slices.Clone(r.params), Param{ParamSignType, string(t)})
	}
	return true
}

func signedEmpty(r *reading) bool {
	r.withEmpty = true
	return slices.ContainsFunc(r.params, func(q Param) bool { return q.Value == "" })
}

func signedCharset(r *reading) bool {
	if r.params.Get("_input_charset") != "" {
		return false
	}
	r.params = append(slices.Clone(r.params), Param{"_input_charset", r.charset.String()})
	return true
}

func ordered(compare func(a, b Param) int) func(*reading) bool {
	return func(r *reading) bool {
		was := r.picked()
		r.compare = compare
		return !slices.Equal(was, r.picked())
	}
}

func bySmall(a, b Param) int {
	return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
}

func byCapital(a, b Param) int {
	return strings.Compare(strings.ToUpper(a.Name), strings.ToUpper(b.Name))
}

func behind(text string) func(*reading) bool {
	return func(r *reading) bool {
		r.back += text
		return true
	}
}

func keyed(tail string) func(*reading) bool {
	return func(r *reading) bool {
		key, ok := r.check.(*md5Key)
		if ok {
			secret := *key.secret + tail
			r.check = &md5Key{&secret}
		}
		return ok
	}
}

func keyBefore(r *reading) bool {
	key, ok := r.check.(*md5Key)
	if ok {
		r.front = *key.secret
		r.check = &md5Key{new("")}
	}
	return ok
}

func noKey(r *reading) bool {
	_, ok := r.check.(*md5Key)
	if ok {
		r.check = &md5Key{new("")}
	}
	return ok
}
