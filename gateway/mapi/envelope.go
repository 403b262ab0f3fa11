// Reading an answer: its size, its encoding, and its fields.

package mapi

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
)

// Bounds of an answer. A real one has a few hundred bytes and ten elements.
const (
	MaxAnswer   = 256 << 10 // bytes
	MaxDepth    = 16        // nested elements, including the root
	MaxElements = 1024
)

// Answer is one answer of the gateway, complete and unambiguous, but not yet verified. The zero
// Answer has no fields.
type Answer struct {
	root     Params // the leaves directly under the root
	response Params // the leaves under response or its wrapper; nil if there is no response
	request  Params // request/param, by name
	encoding string
	declared bool
	fellBack bool
}

// ParseAnswer reads the XML of an answer. It accepts one root named alipay, in utf-8, gbk, gb2312
// or gb18030 as declared (utf-8 if nothing is declared), flat or with the fields under response or
// one wrapper inside it. It refuses a document type, processing instructions, comments, prefixes
// and attributes (except name on request/param), a repeated field, text between elements, anything
// after the root, and answers beyond MaxAnswer, MaxDepth or MaxElements. Go's XML readers accept
// most of these (measured), and each is a way to read T although the gateway said F.
//
// Bytes that are not valid in the declared encoding are read as the other of utf-8 and gbk, and
// Answer.FellBack reports that: answers with a wrong label exist.
//
// With an error the Answer is zero and nothing is known, not even "not signed".
func ParseAnswer(body []byte) (Answer, error) {
	if len(body) > MaxAnswer {
		return Answer{}, fmt.Errorf("read answer: it is larger than %d bytes", MaxAnswer)
	}
	declared, text, fellBack, err := answerText(body)
	if err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	root, err := parseTree(text)
	if err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	a, err := readFields(root)
	if err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	a.encoding, a.declared, a.fellBack = cmp.Or(declared, "utf-8"), declared != "", fellBack
	return a, nil
}

// Get returns a field by name: one directly under the root, or one under response or its wrapper.
// No name is in both places.
func (a Answer) Get(name string) (string, bool) {
	if v, ok := find(a.root, name); ok {
		return v, true
	}
	return find(a.response, name)
}

// Request returns one of the request's parameters that the answer repeats. They are never signed.
func (a Answer) Request(name string) (string, bool) { return find(a.request, name) }

// Encoding returns the encoding that the answer declares, in its own spelling, or "utf-8" if it
// declares none.
func (a Answer) Encoding() string { return a.encoding }

// Declared reports whether the answer declares its encoding.
func (a Answer) Declared() bool { return a.declared }

// FellBack reports that the bytes were not valid in the declared encoding and were read as the
// other of utf-8 and gbk.
func (a Answer) FellBack() bool { return a.fellBack }

func find(p Params, name string) (string, bool) {
	for _, q := range p {
		if q.Name == name {
			return q.Value, true
		}
	}
	return "", false
}

// declaration matches an XML declaration; its one group is the encoding.
var declaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*("[A-Za-z0-9._-]{1,40}"|'[A-Za-z0-9._-]{1,40}'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"yes"|"no"|'yes'|'no'))?[ \t\r\n]*\?>`)

// prolog is an XML declaration and its encoding, "" if it has none.
type prolog struct{ text, encoding string }

// lastProlog is the last one that was read: the answers of a gateway begin alike.
var lastProlog atomic.Pointer[prolog]

// prologOf returns the declaration at the start of body, or nil if it is not a simple one. There is
// only one way to read it: it cannot contain the ?> that ends it.
func prologOf(body []byte) *prolog {
	if d := lastProlog.Load(); d != nil && len(d.text) <= len(body) && d.text == string(body[:len(d.text)]) {
		return d
	}
	m := declaration.FindSubmatch(body)
	if m == nil {
		return nil
	}
	d := &prolog{text: string(m[0])}
	if len(m[1]) > 0 {
		d.encoding = string(m[1][1 : len(m[1])-1])
	}
	lastProlog.Store(d)
	return d
}

// answerText returns what follows the declaration as UTF-8, and the declared encoding, "" if there
// is none. White space before the declaration is against the XML standard, but it cannot mislead,
// and page templates are known to write it.
func answerText(body []byte) (declared, text string, fellBack bool, err error) {
	if bytes.HasPrefix(body, []byte{0xFE, 0xFF}) || bytes.HasPrefix(body, []byte{0xFF, 0xFE}) {
		return "", "", false, errors.New("it is in UTF-16")
	}
	body, marked := bytes.CutPrefix(body, []byte{0xEF, 0xBB, 0xBF})
	body = bytes.TrimLeft(body, " \t\r\n")
	if bytes.HasPrefix(body, []byte("<?")) {
		d := prologOf(body)
		if d == nil {
			return "", "", false, errors.New("its XML declaration is not a plain one")
		}
		body, declared = body[len(d.text):], d.encoding
	}
	text, fellBack, err = decodeAnswer(body, cmp.Or(declared, "utf-8"), marked)
	return declared, text, fellBack, err
}

// decodeAnswer tries the declared encoding, then the other of utf-8 and gbk. For the two other
// Chinese encodings utf-8 comes first: their text is rarely valid UTF-8 by chance, more rarely than
// the reverse. A byte order mark excludes all but utf-8.
func decodeAnswer(body []byte, label string, marked bool) (text string, fellBack bool, err error) {
	var kinds []charsetKind
	switch strings.ToLower(label) {
	case "utf-8":
		kinds = []charsetKind{kindUTF8, kindGBK}
	case "gbk":
		kinds = []charsetKind{kindGBK, kindUTF8}
	case "gb2312":
		kinds = []charsetKind{kindGB2312, kindUTF8, kindGBK}
	case "gb18030":
		kinds = []charsetKind{kindGB18030, kindUTF8, kindGBK}
	default:
		return "", false, fmt.Errorf("its encoding %q is not one of utf-8, gbk, gb2312, gb18030", label)
	}
	for i, kind := range kinds {
		if marked && kind != kindUTF8 {
			continue
		}
		if text, err := (Charset{kind, label}).Decode(body); err == nil {
			return text, i > 0, nil
		}
	}
	return "", false, fmt.Errorf("its bytes are neither valid %s nor of any encoding it may have meant", label)
}
