// The parameters of one request: their canonical text and their form body.

package mapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Names of the parameters that carry the signature. They are sent last, and are not part of the
// signed text.
const (
	ParamSign     = "sign"
	ParamSignType = "sign_type"
)

// usualRequest has room for most requests, usualValue for most values, in bytes.
const (
	usualRequest = 320
	usualValue   = 64
)

// Param is one parameter as text, without any encoding.
type Param struct{ Name, Value string }

// Params are the parameters of one request or notification in any order. A repeated name is an
// error when the parameters are signed, verified or sent.
type Params []Param

// Get returns the value of the first parameter with this name, "" if there is none.
func (p Params) Get(name string) string {
	for _, q := range p {
		if q.Name == name {
			return q.Value
		}
	}
	return ""
}

// StringToSign returns the canonical text: the parameters that have a value, without sign and
// sign_type, sorted by name in byte order, as name=value joined with &, the values raw (the gateway
// owner's appendix, table 3-1, 签名). A repeated or impossible name is an error that names it.
func (p Params) StringToSign() (string, error) {
	sorted, err := p.canonical()
	if err != nil {
		return "", err
	}
	size := 0
	for _, q := range sorted {
		size += len(q.Name) + len(q.Value) + 2
	}
	var b strings.Builder
	b.Grow(size)
	for i, q := range sorted {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(q.Name)
		b.WriteByte('=')
		b.WriteString(q.Value)
	}
	return b.String(), nil
}

// Body returns the form body (application/x-www-form-urlencoded): the parameters that have a value,
// sorted by name, sign and sign_type last. Each value is written as the percent-encoded bytes of
// cs, with a space as +. The body is ASCII for every cs.
func (p Params) Body(cs Charset) (string, error) {
	sorted, err := p.canonical()
	if err != nil {
		return "", err
	}
	for _, name := range []string{ParamSign, ParamSignType} {
		if v := p.Get(name); v != "" {
			sorted = append(sorted, Param{name, v})
		}
	}
	return sorted.form(cs)
}

// form is a form body of the parameters in their present order.
func (p Params) form(cs Charset) (body string, err error) {
	b, value := make([]byte, 0, usualRequest), make([]byte, 0, usualValue)
	for i, q := range p {
		if value, err = appendValue(value[:0], q, cs); err != nil {
			return "", err
		}
		if i > 0 {
			b = append(b, '&')
		}
		b = append(appendEscaped(b, []byte(q.Name)), '=')
		b = appendEscaped(b, value)
	}
	return string(b), nil
}

// appendEscaped is url.QueryEscape, appended to dst.
func appendEscaped(b, from []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range from {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// canonical returns a sorted copy of the parameters that are signed. It first checks every name,
// also of parameters that are left out: a request with a repeated sign or a repeated empty
// parameter is as ambiguous as any other.
func (p Params) canonical() (Params, error) {
	sorted := append(make(Params, 0, len(p)+2), p...) // with room for the signature
	slices.SortFunc(sorted, byName)
	for i, q := range sorted {
		if err := checkName(q.Name); err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1].Name == q.Name {
			return nil, fmt.Errorf("parameter %q is there more than once", q.Name)
		}
	}
	return slices.DeleteFunc(sorted, func(q Param) bool {
		return q.Value == "" || q.Name == ParamSign || q.Name == ParamSignType
	}), nil
}

func byName(a, b Param) int { return strings.Compare(a.Name, b.Name) }

// checkName keeps out names that would make the canonical text ambiguous or that some charsets
// cannot hold.
func checkName(name string) error {
	if name == "" {
		return errors.New("a parameter has no name")
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '=' || c == '&' {
			return fmt.Errorf("parameter name %q: character %d is not allowed in a name", clip(name), i+1)
		}
	}
	return nil
}

// bytesToSign returns the canonical text in the bytes of cs.
func (p Params) bytesToSign(cs Charset) ([]byte, error) {
	sorted, err := p.canonical()
	if err != nil {
		return nil, err
	}
	return layOut(sorted, cs)
}

// layOut joins parameters as they are signed. It encodes each value separately, so that an error
// can name the parameter.
func layOut(sorted Params, cs Charset) ([]byte, error) {
	b := make([]byte, 0, usualRequest)
	for i, q := range sorted {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(b, q.Name...), '=')
		var err error
		if b, err = appendValue(b, q, cs); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// appendValue is Charset.Encode, appended to dst, with the parameter's name in the error. The value
// is personal data and is not in the error.
func appendValue(b []byte, q Param, cs Charset) ([]byte, error) {
	b, err := cs.append(b, q.Value)
	if err == nil {
		return b, nil
	}
	if u := (*UnmappableError)(nil); errors.As(err, &u) {
		u.Param = q.Name
	}
	return nil, err
}

// clip shortens text from outside before it goes into an error.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
