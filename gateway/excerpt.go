// A response that is no answer, shortened and made readable for a person.

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

// Bounds of what a Report holds of a response, in bytes.
const (
	maxContentType = 100
	maxExcerpt     = 800
)

// Unread reports whether something came back from the gateway's address that is not a trustworthy
// answer. err is the call's error.
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

// excerpt is the beginning of a body as text. For an HTML page it is the text that a browser would
// show, because the first 800 bytes of a page are markup and its message comes much later.
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

// decoded is the body as text in the first charset in which it is valid. It uses only the bytes and
// not the declared charset, because a response with a wrong label is exactly what it has to show.
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

// visible is a page's text without markup, scripts and styles, with white space joined. It follows
// no grammar: for any input it ends and returns a part of it.
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

// behind skips a tag whose "<" is read, with everything of it that is not shown.
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

// after returns what follows the first occurrence of end, in any case; nothing if there is none.
func after(s, end string) string {
	for i := 0; i+len(end) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(end)], end) {
			return s[i+len(end):]
		}
	}
	return ""
}
