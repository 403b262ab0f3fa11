// The tables for gbk and gb2312, taken from x/text and reduced to the real charsets.

package mapi

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// A GBK character is a lead byte 81-FE and a trail byte 40-FE without 7F.
const (
	leadMin, leadMax   = 0x81, 0xFE
	trailMin, trailMax = 0x40, 0xFE
	trailCount         = trailMax - trailMin + 1
)

// gbTable maps between the two-byte codes and the characters of GBK; 0 means no character. All of
// GBK is in the Basic Multilingual Plane.
type gbTable struct {
	decode [(leadMax - leadMin + 1) * trailCount]uint16
	encode [1 << 16]uint16
}

// gb builds the table once, when a text first needs it: most texts never do.
var gb = sync.OnceValue(func() *gbTable {
	t := new(gbTable)
	decoder := simplifiedchinese.GBK.NewDecoder()
	for lead := leadMin; lead <= leadMax; lead++ {
		for trail := trailMin; trail <= trailMax; trail++ {
			code := uint16(lead)<<8 | uint16(trail)
			if beyondGBK(code) {
				continue
			}
			text, err := decoder.Bytes([]byte{byte(lead), byte(trail)})
			r, size := utf8.DecodeRune(text)
			if err != nil || r == utf8.RuneError || size != len(text) {
				continue
			}
			t.decode[(lead-leadMin)*trailCount+trail-trailMin] = uint16(r)
			t.encode[r] = code
		}
	}
	return t
})

// beyondGBK reports whether a code of x/text's GBK is not GBK but a later addition of GB 18030
// (measured against two other implementations, which agree on every code): the euro sign, a second
// ideographic space, ǹ, the ideographic description characters, and the end of row FE. x/text also
// writes the euro sign as the single byte 80, as only one vendor does; that byte is refused.
func beyondGBK(code uint16) bool {
	switch {
	case code == 0xA2E3, code == 0xA3A0, code == 0xA8BF:
		return true
	case code >= 0xA989 && code <= 0xA995:
		return true
	}
	return code >= 0xFE50
}

// inGB2312 reports whether a GBK code is also a character of GB 2312-80. x/text knows the name
// gb2312 but uses GBK for it, so its rows and their gaps are listed here: 7,445 characters. Two
// punctuation marks, A1A4 and A1AA, are read as · and —, as in GBK and on every Chinese keyboard,
// while some tables have the katakana dot and the horizontal bar.
func inGB2312(code uint16) bool {
	trail := code & 0xFF
	if trail < 0xA1 || trail > 0xFE {
		return false
	}
	in := func(from, to uint16) bool { return from <= trail && trail <= to }
	switch lead := code >> 8; lead {
	case 0xA1, 0xA3:
		return true
	case 0xA2:
		return in(0xB1, 0xE2) || in(0xE5, 0xEE) || in(0xF1, 0xFC)
	case 0xA4:
		return in(0xA1, 0xF3)
	case 0xA5:
		return in(0xA1, 0xF6)
	case 0xA6:
		return in(0xA1, 0xB8) || in(0xC1, 0xD8)
	case 0xA7:
		return in(0xA1, 0xC1) || in(0xD1, 0xF1)
	case 0xA8:
		return in(0xA1, 0xBA) || in(0xC5, 0xE9)
	case 0xA9:
		return in(0xA4, 0xEF)
	case 0xD7:
		return in(0xA1, 0xF9)
	default:
		return lead >= 0xB0 && lead <= 0xF7
	}
}

func (c Charset) appendGB(out []byte, text string) ([]byte, error) {
	for _, r := range text {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
			continue
		}
		var code uint16
		if r < 1<<16 {
			code = gb().encode[r]
		}
		if code == 0 || c.kind == kindGB2312 && !inGB2312(code) {
			return nil, &UnmappableError{Rune: r, Charset: c.spelling}
		}
		out = append(out, byte(code>>8), byte(code))
	}
	return out, nil
}

func (c Charset) decodeGB(b []byte) (string, error) {
	out := make([]byte, 0, len(b)+len(b)/2)
	for i := 0; i < len(b); i++ {
		if b[i] < utf8.RuneSelf {
			out = append(out, b[i])
			continue
		}
		var r uint16
		if i+1 < len(b) {
			r = c.decodePair(b[i], b[i+1])
		}
		if r == 0 {
			return "", fmt.Errorf("bytes are not valid %s: byte %d", c.spelling, i+1)
		}
		out = utf8.AppendRune(out, rune(r))
		i++
	}
	return string(out), nil
}

// decodePair returns 0 for a pair that is not a character of c.
func (c Charset) decodePair(lead, trail byte) uint16 {
	if lead < leadMin || lead > leadMax || trail < trailMin || trail > trailMax {
		return 0
	}
	if c.kind == kindGB2312 && !inGB2312(uint16(lead)<<8|uint16(trail)) {
		return 0
	}
	return gb().decode[(int(lead)-leadMin)*trailCount+int(trail)-trailMin]
}

// decodeGB18030 uses x/text and encodes the result back: the decoder replaces invalid bytes by
// U+FFFD and accepts the vendor's euro byte.
func decodeGB18030(b []byte) (string, error) {
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil {
		return "", fmt.Errorf("decode gb18030: %w", err)
	}
	back, err := simplifiedchinese.GB18030.NewEncoder().Bytes(text)
	if err != nil || !bytes.Equal(back, b) {
		return "", errors.New("bytes are not valid gb18030")
	}
	return string(text), nil
}
