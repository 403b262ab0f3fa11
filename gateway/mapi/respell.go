// Other spellings of signatures and values, and how to undo them.

package mapi

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

func inSign(change func(string) string) func(*reading) bool {
	return func(r *reading) bool {
		was := r.sign
		r.sign = change(was)
		return r.sign != was
	}
}

func swap(from, to string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, from, to) }
}

func dropSpace(s string) string { return strings.Join(strings.Fields(s), "") }

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `"'`) }

// unescapePath keeps a +, which is common in base64.
func unescapePath(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

func standardBase64(s string) string {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return s + strings.Repeat("=", (4-len(s)%4)%4)
}

func base64ToHex(s string) string {
	if raw, err := base64.StdEncoding.DecodeString(s); err == nil && len(raw) == 16 {
		return hex.EncodeToString(raw)
	}
	return s
}

func hexToBase64(s string) string {
	if raw, err := hex.DecodeString(s); err == nil {
		return base64.StdEncoding.EncodeToString(raw)
	}
	return s
}

// valueChange applies a change to each value; a value that cannot be changed so stays as it is.
type valueChange func(value string, cs Charset) string

func inValues(change valueChange) func(*reading) bool {
	return func(r *reading) bool {
		was := r.params
		r.params = slices.Clone(was)
		for i, q := range was {
			if q.Name != ParamSign && q.Name != ParamSignType {
				r.params[i].Value = change(q.Value, r.charset)
			}
		}
		return !slices.Equal(was, r.params)
	}
}

func plain(change func(string) string) valueChange {
	return func(value string, _ Charset) string { return change(value) }
}

// bytesAs reads a value's bytes in another charset.
func bytesAs(encode func(string) ([]byte, error), cs Charset) valueChange {
	return func(value string, _ Charset) string {
		raw, err := encode(value)
		if err != nil {
			return value
		}
		text, err := cs.Decode(raw)
		if err != nil {
			return value
		}
		return text
	}
}

// shellGBK undoes what a gbk shell does to a text: its bytes are taken as UTF-8. Bytes can be valid
// UTF-8 by chance, too: then they hold characters that no Chinese charset has.
func shellGBK(value string, _ Charset) string {
	if _, err := GBK.Encode(value); err == nil {
		return value
	}
	text, err := GBK.Decode([]byte(value))
	if err != nil {
		return value
	}
	return text
}

// readAsGBK undoes UTF-8 that was read as gbk, 寮犱笁 for 张三. gbk text can be valid UTF-8 by chance,
// but hardly ever as Chinese text.
func readAsGBK(value string, cs Charset) string {
	text := bytesAs(GBK.Encode, UTF8)(value, cs)
	if _, err := GBK.Encode(text); err != nil {
		return value
	}
	return text
}

func latin1(s string) ([]byte, error) {
	raw := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xFF {
			return nil, &UnmappableError{Rune: r, Charset: "latin-1"}
		}
		raw = append(raw, byte(r))
	}
	return raw, nil
}

func questioned(value string, _ Charset) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, value)
}

func percentDecoded(decode func(string) (string, error)) valueChange {
	return func(value string, cs Charset) string {
		raw, err := decode(value)
		if err != nil {
			return value
		}
		text, err := cs.Decode([]byte(raw))
		if err != nil {
			return value
		}
		return text
	}
}

// percentEncoded encodes like one of many libraries, which differ in a few characters.
func percentEncoded(as ...func(string) string) valueChange {
	return func(value string, cs Charset) string {
		raw, err := cs.Encode(value)
		if err != nil {
			return value
		}
		encoded := string(raw)
		for _, change := range as {
			encoded = change(encoded)
		}
		return encoded
	}
}

// smallHex writes the digits of each %XX in small letters.
func smallHex(s string) string {
	b := []byte(s)
	for i := range b {
		if i >= 1 && b[i-1] == '%' || i >= 2 && b[i-2] == '%' {
			b[i] |= 0x20 // a digit has that bit already
		}
	}
	return string(b)
}

var xmlEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")
