// The wrappings of a key: PEM, DER and base64, as editors, shells, JSON and Windows leave them.

package mapi

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"strings"
)

// keyBlock is one key of a file: its DER, or what is wrong with it. sealed says that it is
// encrypted.
type keyBlock struct {
	der    []byte
	sealed bool
	fault  error
}

// keyBlocks removes the wrapping. All blocks but one come from PEM.
func keyBlocks(material []byte) ([]keyBlock, error) {
	switch {
	case isUTF16(material):
		return nil, errUTF16
	case isDER(material):
		return []keyBlock{{der: wholeDER(material)}}, nil
	}
	text := plainText(material)
	switch {
	case text == "":
		return nil, errEmpty
	case strings.Contains(text, pemBegin):
		return pemBlocks(text)
	}
	der, err := decodeKey(text)
	if err != nil {
		return nil, errors.New("it is neither PEM nor DER nor base64, or it is cut: is it the right file?")
	}
	if bytes.HasPrefix(der, []byte(pemBegin)) {
		return nil, errors.New("it is a PEM file in base64 a second time: decode it once (base64 -d)")
	}
	return []keyBlock{{der: der}}, nil
}

// isUTF16 looks for a byte order mark or, without one, for a zero half in each letter.
func isUTF16(material []byte) bool {
	if bytes.HasPrefix(material, []byte{0xFF, 0xFE}) || bytes.HasPrefix(material, []byte{0xFE, 0xFF}) {
		return true
	}
	if len(material) < 8 {
		return false
	}
	empty := [2]int{}
	for i, c := range material[:8] {
		if c == 0 {
			empty[i%2]++
		}
	}
	return empty == [2]int{4, 0} || empty == [2]int{0, 4}
}

// isDER reports whether material is one complete ASN.1 sequence, followed by white space at most.
// Nothing may be trimmed before this check: DER can end in any byte.
func isDER(material []byte) bool { return wholeDER(material) != nil }

func wholeDER(material []byte) []byte {
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(material, &outer)
	if err != nil || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence ||
		len(bytes.TrimSpace(rest)) > 0 {
		return nil
	}
	return outer.FullBytes
}

// No key contains a backslash, a carriage return or a byte order mark.
var unescape = strings.NewReplacer("\uFEFF", "", `\r`, "\n", `\n`, "\n", "\r", "\n")

// plainText removes what quoting, escaping and the line ends of other systems add.
func plainText(material []byte) string {
	text := strings.TrimSpace(unescape.Replace(string(material)))
	for _, quote := range []string{`"`, `'`} {
		if len(text) >= 2 && strings.HasPrefix(text, quote) && strings.HasSuffix(text, quote) {
			return strings.TrimSpace(text[1 : len(text)-1])
		}
	}
	return text
}

const (
	pemBegin = "-----BEGIN"
	pemEnd   = "-----END"
	pemDash  = "-----"
)

// pemBlocks reads every block. It is more lenient than encoding/pem, which requires each mark on
// its own line, and it never stops at a bad block. OpenSSL writes parameters before DSA and
// elliptic keys; they are repeated in the key.
func pemBlocks(text string) ([]keyBlock, error) {
	var blocks []keyBlock
	for {
		_, rest, found := strings.Cut(text, pemBegin)
		if !found {
			break
		}
		block := rest
		if next := strings.Index(rest, pemBegin); next >= 0 {
			block = rest[:next]
		}
		text = rest[len(block):]
		title, body, titled := strings.Cut(block, pemDash)
		body, _, ended := strings.Cut(body, pemEnd)
		switch {
		case strings.HasSuffix(title, " PARAMETERS"):
		case !titled || !ended:
			blocks = append(blocks, keyBlock{fault: errPEM})
		default:
			blocks = append(blocks, pemBlock(title, body))
		}
	}
	if len(blocks) == 0 {
		return nil, errors.New("the PEM file holds no key")
	}
	return blocks, nil
}

var errPEM = errors.New("its PEM is cut or damaged: take a copy of the original")

func pemBlock(title, body string) keyBlock {
	if strings.Contains(title, "OPENSSH") {
		return keyBlock{fault: errors.New("this is OpenSSH's own form: convert a copy of it (ssh-keygen -p -m PEM -f " +
			"COPY)")}
	}
	if strings.Contains(title, "ENCRYPTED") || strings.Contains(body, "DEK-Info") {
		return keyBlock{sealed: true}
	}
	var b strings.Builder
	for line := range strings.Lines(body) {
		if !strings.Contains(line, ":") { // a header line
			b.WriteString(line)
		}
	}
	der, err := decodeKey(b.String())
	if err != nil || len(der) == 0 {
		return keyBlock{fault: errPEM}
	}
	return keyBlock{der: der}
}

// decodeKey accepts both alphabets of base64, padded or not, with any white space.
func decodeKey(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.Join(strings.Fields(text), ""))
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}
