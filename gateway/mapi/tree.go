// The strict pass over the XML tokens of an answer, and the fields that it yields.

package mapi

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// element is one element: a leaf has text, any other element has children.
type element struct {
	name     string
	param    string // the attribute name of a request/param
	text     string
	cdata    bool // text has come from CDATA, with only white space around it
	children []*element
}

func (e *element) leaf() bool { return len(e.children) == 0 }

// treeReader holds the open elements while it reads tokens.
type treeReader struct {
	root  *element
	open  []*element // from the root to the innermost
	count int
}

// parseTree reads raw tokens: the decoder's own pairing, namespaces and declarations would hide
// what is really there. Its strict mode knows only the five entities of XML.
func parseTree(text string) (*element, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	var t treeReader
	for {
		from := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			// The decoder returns CDATA like text.
			err = t.take(token, strings.HasPrefix(text[from:], "<![CDATA["))
		}
		if err != nil {
			// The decoder's text can repeat the answer's own at any length.
			return nil, errors.New(clip(err.Error()))
		}
	}
	if t.root == nil {
		return nil, errors.New("it holds no element")
	}
	if len(t.open) > 0 {
		return nil, errors.New("it ends too early")
	}
	return t.root, nil
}

func (t *treeReader) take(token xml.Token, cdata bool) error {
	switch token := token.(type) {
	case xml.StartElement:
		return t.start(token)
	case xml.EndElement:
		return t.end(token)
	case xml.CharData:
		return t.chars(string(token), cdata)
	case xml.Comment:
		return errors.New("it holds a comment")
	case xml.ProcInst:
		return errors.New("it holds a processing instruction")
	default:
		return errors.New("it holds a document type")
	}
}

func (t *treeReader) start(token xml.StartElement) error {
	name, err := plainName(token.Name)
	if err != nil {
		return err
	}
	if t.count++; t.count > MaxElements {
		return fmt.Errorf("it has more than %d elements", MaxElements)
	}
	if len(t.open) == MaxDepth {
		return fmt.Errorf("it is more than %d elements deep", MaxDepth)
	}
	e := &element{name: name}
	if len(t.open) == 0 {
		if t.root != nil {
			return errors.New("it has a second root")
		}
		t.root = e
	} else {
		parent := t.open[len(t.open)-1]
		if !blank(parent.text) {
			return errors.New("it has text between elements")
		}
		parent.children = append(parent.children, e)
	}
	t.open = append(t.open, e)
	return t.attributes(e, token.Attr)
}

// attributes allows only one: the name of a request/param.
func (t *treeReader) attributes(e *element, attributes []xml.Attr) error {
	isParam := len(t.open) == 3 && t.open[1].name == "request" && e.name == "param"
	if !isParam {
		if len(attributes) > 0 {
			return errors.New("an element has an attribute")
		}
		return nil
	}
	if len(attributes) != 1 || attributes[0].Name != (xml.Name{Local: "name"}) || attributes[0].Value == "" {
		return errors.New("a request/param has no name, or more than a name")
	}
	e.param = attributes[0].Value
	return nil
}

func (t *treeReader) end(token xml.EndElement) error {
	if len(t.open) == 0 || token.Name != (xml.Name{Local: t.open[len(t.open)-1].name}) {
		return errors.New("an element is closed that is not open")
	}
	t.open = t.open[:len(t.open)-1]
	return nil
}

// chars takes a value in one piece: text, or one CDATA section with only white space around it.
// That white space belongs to the value, as it does around text.
func (t *treeReader) chars(text string, cdata bool) error {
	if len(t.open) == 0 {
		if !blank(text) {
			return errors.New("it has text outside of the root")
		}
		return nil
	}
	e := t.open[len(t.open)-1]
	switch {
	case !e.leaf() && blank(text): // the line breaks between children
	case !e.leaf():
		return errors.New("it has text between elements")
	case cdata && (e.cdata || !blank(e.text)), e.cdata && !blank(text):
		return errors.New("a value is in several pieces") // text next to CDATA
	default:
		e.text, e.cdata = e.text+text, e.cdata || cdata
	}
	return nil
}

// blank reports whether text is only XML white space.
func blank(text string) bool { return strings.Trim(text, " \t\r\n") == "" }

func plainName(n xml.Name) (string, error) {
	if n.Space != "" || strings.Contains(n.Local, ":") {
		return "", errors.New("an element has a prefix")
	}
	return n.Local, nil
}

// readFields finds the three places from which fields are read.
func readFields(root *element) (Answer, error) {
	if root.name != "alipay" {
		return Answer{}, fmt.Errorf("its root is %q, not alipay", clip(root.name))
	}
	if !blank(root.text) {
		return Answer{}, errors.New("its root holds text")
	}
	if err := checkRepeats(root, 1); err != nil {
		return Answer{}, err
	}
	var a Answer
	var err error
	for _, e := range root.children {
		switch {
		case e.name == "request":
			a.request, err = readRequest(e)
		case e.name == "response":
			a.response, err = readResponse(e)
		case e.leaf():
			a.root = append(a.root, Param{e.name, e.text})
		}
		if err != nil {
			return Answer{}, err
		}
	}
	for _, q := range a.response {
		if _, ok := find(a.root, q.Name); ok {
			return Answer{}, fmt.Errorf("field %q is both under the root and under response", clip(q.Name))
		}
	}
	return a, nil
}

func readRequest(request *element) (Params, error) {
	if !blank(request.text) {
		return nil, errors.New("request holds text")
	}
	var params Params
	for _, e := range request.children {
		if e.param == "" || !e.leaf() {
			return nil, errors.New("request holds something other than params")
		}
		if _, ok := find(params, e.param); ok {
			return nil, fmt.Errorf("request/param %q is there more than once", clip(e.param))
		}
		params = append(params, Param{e.param, e.text})
	}
	return params, nil
}

// readResponse returns the leaves of the one wrapper under response, or of response itself if it
// has only leaves. The result is never nil.
func readResponse(response *element) (Params, error) {
	if !blank(response.text) {
		return nil, errors.New("response holds text")
	}
	holder := response
	if !allLeaves(response) {
		if len(response.children) > 1 {
			return nil, errors.New("response holds something beside its wrapper")
		}
		holder = response.children[0]
	}
	fields := Params{}
	for _, e := range holder.children {
		if e.leaf() {
			fields = append(fields, Param{e.name, e.text})
		}
	}
	return fields, nil
}

func allLeaves(e *element) bool {
	for _, c := range e.children {
		if !c.leaf() {
			return false
		}
	}
	return true
}

// checkRepeats refuses siblings with the same name at all depths: it would be unclear which of them
// is the field. Only the params of request may share a name, and the records of a list inside a
// wrapper (depth 3) or deeper, from which no field is read.
func checkRepeats(e *element, depth int) error {
	if e.leaf() || depth == 2 && e.name == "request" {
		return nil
	}
	seen := make(map[string]*element, len(e.children))
	for _, c := range e.children {
		first, again := seen[c.name]
		if again && (depth < 3 || first.leaf() || c.leaf()) {
			return fmt.Errorf("%q is there more than once", clip(c.name))
		}
		seen[c.name] = c
		if err := checkRepeats(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}
