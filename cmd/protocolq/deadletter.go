// One dead letter: what it says, and what of it may be shown.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
)

// storedLetter is a dead letter as the stream has it.
type storedLetter struct {
	Seq     uint64
	At      time.Time
	Subject string
	Header  nats.Header
	Data    []byte
}

// deadLetter is a dead letter as it is shown: personal fields are masked. What is not exported is
// for asking again, and leaves the process only to the stream of requests.
type deadLetter struct {
	Seq        uint64      `json:"seq"`
	At         time.Time   `json:"at"`     // when it died
	Reason     string      `json:"reason"` // the word its subject ends with
	Why        string      `json:"why,omitempty"`
	Door       string      `json:"door"`              // query or submit
	Subject    string      `json:"subject,omitempty"` // where it was sent to
	Token      string      `json:"token,omitempty"`
	ID         string      `json:"id,omitempty"`
	Key        string      `json:"key,omitempty"` // as given by the asker
	Partner    string      `json:"partner,omitempty"`
	UserEmail  string      `json:"user_email,omitempty"` // masked
	AccountNo  string      `json:"account_no,omitempty"` // masked
	ReplyTo    string      `json:"reply_to,omitempty"`
	MaxAgeMs   *int64      `json:"max_age_ms,omitempty"`
	DeadlineMs int64       `json:"deadline_ms,omitempty"`
	Meta       int         `json:"meta,omitempty"` // how many entries
	StoredMs   int64       `json:"stored_ms,omitempty"`
	Tries      int64       `json:"tries,omitempty"`
	LastCode   string      `json:"last_code,omitempty"`
	Redriven   int64       `json:"redriven,omitempty"` // how often it was asked again
	Bytes      int         `json:"bytes"`
	Unreadable *unreadable `json:"unreadable,omitempty"`

	id       string // as it is
	subject  string // as it is
	head     nats.Header
	data     []byte
	query    messages.Query
	encoding messages.Encoding
}

// unreadable stands for a message that is no query. Its bytes are not shown: they may hold anything.
type unreadable struct {
	SHA256 string `json:"sha256"` // the first 8 bytes in hex: enough to see whether two are the same
}

// readLetter reads a letter. What cannot be read of it stays empty.
func readLetter(names messages.Names, s storedLetter) deadLetter {
	l := deadLetter{Seq: s.Seq, At: s.At.UTC(), Bytes: len(s.Data), Reason: s.Subject[strings.LastIndexByte(s.Subject, '.')+1:],
		Why: scrubbed(s.Header.Get(messages.HeaderReason)), Token: s.Header.Get(messages.HeaderToken),
		id: s.Header.Get(messages.HeaderID), Partner: s.Header.Get(messages.HeaderPartner),
		subject: s.Header.Get(messages.HeaderSubject), LastCode: s.Header.Get(messages.HeaderLastCode),
		StoredMs: number(s.Header, messages.HeaderStored), Tries: number(s.Header, messages.HeaderTries),
		Redriven: number(s.Header, messages.HeaderRedriven), head: s.Header, data: s.Data}
	l.Door, l.Subject = messages.DoorQuery, l.subject
	partner, isDoor := names.PartnerOf(l.subject)
	if isDoor && partner != "" {
		l.Partner = partner
	}
	if l.submitted(names) {
		l.Door = messages.DoorSubmit
	}
	if _, ok := names.KeyOf(l.subject); ok {
		l.Subject = names.Request("…") // whoever knows an e-mail could guess its token
	}
	q, encoding, err := messages.DecodeQuery(s.Data, s.Header.Get(messages.HeaderContentType))
	if err != nil {
		sum := sha256.Sum256(s.Data)
		l.Unreadable = &unreadable{SHA256: hex.EncodeToString(sum[:8])}
	} else {
		l.fill(q, encoding)
	}
	l.ID = messages.MaskText(l.id)
	return l
}

// fill takes over what the query says.
func (l *deadLetter) fill(q messages.Query, encoding messages.Encoding) {
	l.query, l.encoding = q, encoding
	if q.ID != "" {
		l.id = q.ID
	}
	if l.Partner == "" {
		l.Partner = q.Partner
	}
	l.Key = messages.MaskText(q.Key)
	l.UserEmail, l.AccountNo = messages.MaskEmail(q.UserEmail), messages.MaskAccount(q.AccountNo)
	l.ReplyTo, l.MaxAgeMs, l.DeadlineMs, l.Meta = q.ReplyTo, q.MaxAgeMs, q.DeadlineMs, len(q.Meta)
}

// submitted tells that the letter came in by the door that needs no reply subject. It goes by the
// subject alone, which the worker wrote; other headers may be an asker's own.
func (l *deadLetter) submitted(names messages.Names) bool {
	return l.subject == names.Submit() || strings.HasPrefix(l.subject, names.Submit()+".") || strings.HasPrefix(l.subject, names.Wait(""))
}

// late tells that the query says itself that nobody waits for its answer any more.
func (l *deadLetter) late(now time.Time) bool {
	return l.query.DeadlineMs > 0 && now.UnixMilli() >= l.query.DeadlineMs
}

func number(h nats.Header, name string) int64 {
	n, err := strconv.ParseInt(h.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

var digits = regexp.MustCompile(`\+?\d[\d-]{5,}\d`)

// scrubbed is a text of ours that may quote an asker's, with what may be personal masked.
func scrubbed(s string) string {
	s = messages.MaskText(s)
	return digits.ReplaceAllStringFunc(s, func(number string) string { return messages.MaskAccount(strings.ReplaceAll(number, "-", "")) })
}
