// How the key token of a query is derived, byte for byte, so that a program in another language can derive the same.

package messages

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// keyTokenLen is 26 characters of 5 bits: 130 bits, more than enough against chance and design.
const keyTokenLen = 26

var tokenAlphabet = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// KeyToken is the last token of the subjects of this query's request and record: 26 characters of 0-9 and a-v. It needs Partner to be filled in.
//
// It is the SHA-256 sum of a list of fields, written in base32hex (RFC 4648 section 7), lower case, without padding, cut to its first 26 characters. Each field
// is hashed as its length in bytes, a 4-byte big-endian number, and then its bytes in UTF-8, so that no two lists give the same bytes. The list is
//
//	"k", partner, key                               when the query carries a key
//	"q", partner, biz_type, user_email, account_no  when it does not
//
// with biz_type 10004 when it is absent, user_email without spaces around it and with A-Z as a-z (no other letter is touched, as languages disagree on those),
// and an absent user_email or account_no as a field of length 0.
func (q Query) KeyToken() string {
	sum := q.questionSum()
	if q.Key != "" {
		sum = hashFields("k", q.Partner, q.Key)
	}
	var text [52]byte
	tokenAlphabet.Encode(text[:], sum[:])
	return string(text[:keyTokenLen])
}

// Question is the identity of what is asked, whatever the key: the first 16 bytes of the SHA-256 sum over the second list of KeyToken.
func (q Query) Question() [16]byte {
	sum := q.questionSum()
	return [16]byte(sum[:16])
}

func (q Query) questionSum() [sha256.Size]byte {
	biz := q.BizType
	if biz == "" {
		biz = BizType
	}
	return hashFields("q", q.Partner, biz, lowerASCII(strings.Trim(q.UserEmail, " ")), q.AccountNo)
}

func hashFields(fields ...string) [sha256.Size]byte {
	var room [256]byte
	b := room[:0]
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return sha256.Sum256(b)
}

// lowerASCII is s with A-Z as a-z and nothing else changed.
func lowerASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}
