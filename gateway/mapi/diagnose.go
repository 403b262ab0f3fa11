// Why a signature is wrong: the usual mistakes, tried one by one.

package mapi

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Bounds of a diagnosis: about a thousand signatures, each for a text that a person can have typed.
const (
	maxDiagnosedText   = 64 << 10 // bytes of names and values; a longer text gets no diagnosis
	maxDiagnosedParams = 64       // each of these is tried to be left out
)

// reading is one way in which a signature may have been made.
type reading struct {
	params      Params // with sign and sign_type, even if they are not part of the text
	charset     Charset
	sign        string
	check       verifier
	withEmpty   bool
	withType    bool
	compare     func(a, b Param) int // nil keeps the order of params
	front, back string               // around the text
}

// verifies reports whether the signature is right if it was made in this way.
func (r reading) verifies() bool {
	text, err := layOut(r.picked(), r.charset)
	if err != nil {
		return false
	}
	return r.check.verify(slices.Concat([]byte(r.front), text, []byte(r.back)), r.sign) == nil
}

// picked are the parameters in the signed text, in its order.
func (r reading) picked() Params {
	picked := slices.DeleteFunc(slices.Clone(r.params), func(q Param) bool {
		return q.Name == ParamSign || q.Name == ParamSignType && !r.withType || q.Value == "" && !r.withEmpty
	})
	if r.compare != nil {
		slices.SortStableFunc(picked, r.compare)
	}
	return picked
}

// Diagnose says which usual mistake, or which two of them, would explain that sign is not the
// signature of p: "with X it would verify". Each was tried. It takes sign_type from p if it is
// there. The result is "" if the signature is right or no mistake explains it. It shows no value,
// no signature and no key. It helps a person to find the cause of an ILLEGAL_SIGN, and is never for
// a decision: a signature that verifies only by a mistake is bad.
func Diagnose(p Params, v Verifier, cs Charset, sign string) string {
	return diagnose(reading{params: p, charset: cs, sign: sign, check: v.verifier, compare: byName}, v.signType,
		mistakes)
}

// Diagnose does for an answer what the function of that name does for parameters. It also tries
// is_success and error in the signed text, because it is only inferred that the signature of a flat
// answer leaves them out.
func (a Answer) Diagnose(v Verifier, cs Charset) string {
	sign, ok := find(a.root, ParamSign)
	if !ok {
		return ""
	}
	signed := a.Signed()
	if t, ok := find(a.root, ParamSignType); ok {
		signed = append(signed, Param{ParamSignType, t})
	}
	tried := slices.Clone(mistakes)
	for _, names := range [...][]string{{"is_success"}, {"error"}, {"is_success", "error"}} {
		tried = append(tried, mistake{strings.Join(names, " and ") + " in the signed text", "", func(r *reading) bool {
			return r.add(a.root, names)
		}})
	}
	return diagnose(reading{params: signed, charset: cs, sign: sign, check: v.verifier, compare: byName}, v.signType,
		tried)
}

func (r *reading) add(from Params, names []string) bool {
	r.params = slices.Clone(r.params)
	for _, name := range names {
		value, ok := find(from, name)
		if !ok {
			return false
		}
		r.params = append(r.params, Param{name, value})
	}
	return true
}

// diagnose tries each mistake alone, then each parameter left out, then two mistakes at once.
func diagnose(base reading, t SignType, tried []mistake) string {
	if base.check == nil || base.sign == "" || base.params.size() > maxDiagnosedText {
		return ""
	}
	if _, err := base.params.canonical(); err != nil {
		return ""
	}
	if base.verifies() {
		return wrongType(base.params, t)
	}
	for _, m := range tried {
		if r := base; m.apply(&r) && r.verifies() {
			return would(m.advice, m.what)
		}
	}
	if name := base.tooMuch(); name != "" {
		return would("the sign does not cover it", fmt.Sprintf("parameter %q left out", clip(name)))
	}
	for i, m := range tried {
		first := base
		if !m.apply(&first) {
			continue
		}
		for _, n := range tried[i+1:] {
			if r := first; n.apply(&r) && r.verifies() {
				return would("", m.what, n.what)
			}
		}
	}
	return base.wrongSize()
}

func would(advice string, what ...string) string {
	text := "with " + strings.Join(what, " and ") + " it would verify"
	if advice != "" {
		text += ": " + advice
	}
	return text
}

// wrongType finds a right signature of another type than sign_type says.
func wrongType(p Params, t SignType) string {
	if said := p.Get(ParamSignType); said != "" && said != string(t) {
		return would("it is a sign of that type", fmt.Sprintf("sign_type=%s", t))
	}
	return ""
}

// tooMuch returns the parameter without which the signature is right, or "".
func (r reading) tooMuch() string {
	if len(r.params) > maxDiagnosedParams {
		return ""
	}
	for i, q := range r.params {
		if q.Name == ParamSign || q.Name == ParamSignType || q.Value == "" {
			continue
		}
		without := r
		without.params = slices.Delete(slices.Clone(r.params), i, i+1)
		if without.verifies() {
			return q.Name
		}
	}
	return ""
}

// wrongSize finds a signature that cannot be from this key, whatever text was signed.
func (r reading) wrongSize() string {
	_, notHex := hex.DecodeString(r.sign)
	switch key := r.check.(type) {
	case *md5Key:
		if len(r.sign) != hex.EncodedLen(16) {
			return fmt.Sprintf("an MD5 sign has 32 hexadecimal digits, this one %d characters: it is cut off or of "+
				"another type", len(r.sign))
		}
	case *rsaVerifier:
		raw, err := decodeBase64(r.sign)
		switch {
		case notHex == nil && len(r.sign) == hex.EncodedLen(16):
			return "the sign has 32 hexadecimal digits: it is an MD5 sign"
		case err == nil && len(raw) != key.key.Size():
			return fmt.Sprintf("the sign has %d bytes, those of this key have %d: it is cut off or of another key",
				len(raw), key.key.Size())
		}
	}
	return ""
}

func (p Params) size() (n int) {
	for _, q := range p {
		n += len(q.Name) + len(q.Value)
	}
	return n
}
