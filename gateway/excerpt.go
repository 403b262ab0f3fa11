// What came back instead of an answer, made short and readable for a person.

package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"html"
	"net/http"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"protocolq/gateway/mapi"
)

// Bounds of what a Report holds of an answer, in bytes.
const (
	maxContentType = 100
	maxExcerpt     = 800
)

// Unread reports whether something came back from the gateway's address that was no answer to be
// believed. err is the call's.
func (r Report) Unread(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && r.HTTPStatus != 0 && strings.HasPrefix(e.Code, "GATEWAY_")
}

// contentType is the header's value in visible ASCII.
func contentType(h http.Header) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.TrimSpace(h.Get("Content-Type")))
	return clean[:min(len(clean), maxContentType)]
}

// excerpt is the beginning of a body as text: of an HTML page what a browser would show of it,
// since a page's first 800 bytes are markup and its message comes far behind.
func excerpt(body []byte) string {
	text := decoded(body)
	if start := strings.ToLower(text[:min(len(text), 1024)]); strings.Contains(start, "<html") ||
		strings.Contains(start, "<!doctype html") {
		if shown := visible(text); shown != "" {
			text = shown
		}
	}
	end := min(len(text), maxExcerpt)
	for end > 0 && end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end])
}

// decoded is the body as text in the first charset that it is valid in. It goes by the bytes alone:
// what calls itself by the wrong name is exactly what is looked at here.
func decoded(body []byte) string {
	if text, ok := fromUTF16(body); ok {
		return text
	}
	for _, cs := range []mapi.Charset{mapi.UTF8, mapi.GBK} {
		for cut := range min(utf8.UTFMax, len(body)) { // a body that was cut may end within a character
			if text, err := cs.Decode(body[:len(body)-cut]); err == nil {
				return text
			}
		}
	}
	return string(body)
}

func fromUTF16(body []byte) (string, bool) {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(body, []byte{0xfe, 0xff}), bytes.HasPrefix(body, []byte{0, '<'}):
		order = binary.BigEndian
	case bytes.HasPrefix(body, []byte{0xff, 0xfe}), bytes.HasPrefix(body, []byte{'<', 0}):
	default:
		return "", false
	}
	units := make([]uint16, len(body)/2)
	for i := range units {
		units[i] = order.Uint16(body[2*i:])
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff"), true
}

// visible is a page's text without markup, scripts and styles, its white space joined. It follows
// no grammar: whatever it is given, it ends and gives a part of it.
func visible(page string) string {
	var b strings.Builder
	for page != "" {
		text, tag, _ := strings.Cut(page, "<")
		b.WriteString(text)
		b.WriteByte(' ')
		page = behind(tag)
	}
	return strings.Join(strings.Fields(html.UnescapeString(b.String())), " ")
}

// behind skips a tag whose "<" is read, with all that belongs to it and is not shown.
func behind(tag string) string {
	if comment, ok := strings.CutPrefix(tag, "!--"); ok {
		return after(comment, "-->")
	}
	for _, name := range []string{"script", "style"} {
		if len(tag) > len(name) && strings.EqualFold(tag[:len(name)], name) &&
			strings.ContainsAny(tag[len(name):len(name)+1], "> \t\r\n") {
			return after(after(tag, "</"+name), ">")
		}
	}
	return after(tag, ">")
}

// after is what follows the first end, in any case; nothing where there is none.
func after(s, end string) string {
	for i := 0; i+len(end) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(end)], end) {
			return s[i+len(end):]
		}
	}
	return ""
}
