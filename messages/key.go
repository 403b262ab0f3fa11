// How a query and its key are identified, byte for byte, so that a program in another language can
// derive the same.

package messages

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// keyTokenLen is 26 characters of 5 bits: 130 bits, more than enough against chance and design.
const keyTokenLen = 26

var tokenAlphabet = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// KeyToken is the query log's identity of this query's key, which it hashes: 26 characters of 0-9
// and a-v. It needs Partner to be filled in. Identity is the one that a worker uses.
//
// It is the SHA-256 sum of a list of fields, written in base32hex (RFC 4648 section 7), lower case,
// without padding, cut to its first 26 characters. Each field is hashed as its length in bytes, a
// 4-byte big-endian number, and then its bytes in UTF-8, so that no two lists give the same bytes.
// The list is
//
//	"k", partner, key                               when the query carries a key
//	"q", partner, biz_type, user_email, account_no  when it does not
//
// with biz_type 10004 if it is absent, user_email without spaces around it and with A-Z as a-z
// (other letters stay, as languages disagree about them), and an absent user_email or account_no as
// a field of length 0.
func (q Query) KeyToken() string {
	sum := q.questionSum()
	if q.Key != "" {
		sum = hashFields("k", q.Partner, q.Key)
	}
	var text [52]byte
	tokenAlphabet.Encode(text[:], sum[:])
	return string(text[:keyTokenLen])
}

// Question is the identity of what is asked, whatever the key: the first 16 bytes of the SHA-256
// sum of the second list of KeyToken.
func (q Query) Question() [16]byte {
	sum := q.questionSum()
	return [16]byte(sum[:16])
}

// QuestionText is Question as Result.Question holds it: the first 32 digits of the sum in hex,
// lower case. As a formula for any language:
//
//	hex(sha256(field("q") + field(partner) + field(biz_type) + field(user_email) + field(account_no)))[:32]
//	field(s) = 4-byte big-endian length of s in UTF-8, then s in UTF-8
//
// An asker that names no partner uses the partner in the Result. The hash is not secret: a program
// that can guess an e-mail address can check the guess. So the hash is only in Results.
func (q Query) QuestionText() string { return QuestionText(q.Question()) }

// QuestionText is a Question as Result.Question holds it; "" for zero, which belongs to no query.
func QuestionText(question [16]byte) string {
	if question == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(question[:])
}

// Answers reports whether r says that it answers q. A reader of durable replies must accept no
// other, because others may be able to write replies, and many may know an id.
func (r *Result) Answers(q Query) bool {
	q.Partner = cmp.Or(q.Partner, r.Partner)
	return r.Question == q.QuestionText()
}

// Identity is a worker's identity of a query: the first 16 bytes of the sum that KeyToken is made
// from, and Question. asker is the name in the subject by which the query came, "" if it has none.
// Two askers may use the same key for two requests, so with a name the first list of KeyToken is
//
//	"k", partner, asker, key
func (q Query) Identity(asker string) (key, question [16]byte) {
	question = q.Question()
	if q.Key == "" {
		return question, question
	}
	sum := hashFields("k", q.Partner, q.Key)
	if asker != "" {
		sum = hashFields("k", q.Partner, asker, q.Key)
	}
	return [16]byte(sum[:16]), question
}

// AskIdentity identifies an ask that comes again: the first 16 bytes of the sum of "i", partner,
// asker (see Identity) and id; zero without an id.
func (q Query) AskIdentity(asker string) (id [16]byte) {
	if q.ID != "" {
		sum := hashFields("i", q.Partner, asker, q.ID)
		copy(id[:], sum[:])
	}
	return id
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

// lowerASCII returns s with A-Z as a-z and nothing else changed.
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
