// One dead letter: what it says, and what of it may be shown.

package dead

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
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
// for asking again, and leaves the process only to the stream of submitted queries.
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
	env      messages.Envelope
	query    messages.Query
	encoding messages.Encoding
}

// unreadable stands for a message that is not a query. Its bytes are not shown, because they may
// hold anything.
type unreadable struct {
	SHA256 string `json:"sha256"` // the first 8 bytes in hex: enough to see whether two are the same
}

// readLetter reads a dead letter. Fields that cannot be read stay empty.
func readLetter(names messages.Names, s storedLetter) deadLetter {
	e, _ := names.ParseEnvelope(s.Subject, s.Header, s.Data) // with a fault it holds the rest
	l := deadLetter{Seq: s.Seq, At: s.At.UTC(), Bytes: len(s.Data),
		Reason: s.Subject[strings.LastIndexByte(s.Subject, '.')+1:],
		Why:    cli.Masked(e.Why), Token: e.Token, id: e.ID, Partner: e.Partner, LastCode: e.LastCode,
		StoredMs: e.StoredMs, Tries: e.Tries, Redriven: e.Redriven, env: e}
	l.Door, l.Subject = messages.DoorQuery, e.Subject
	partner, isDoor := names.PartnerOf(l.env.Subject)
	if isDoor && partner != "" {
		l.Partner = partner
	}
	if l.submitted(names) {
		l.Door = messages.DoorSubmit
	}
	if !isDoor && !strings.HasPrefix(l.env.Subject, names.Journal()) {
		l.Subject = "" // an earlier version's, with a key in it: whoever knows an e-mail could guess that
	}
	q, encoding, err := e.Query()
	if err != nil {
		sum := sha256.Sum256(s.Data)
		l.Unreadable = &unreadable{SHA256: hex.EncodeToString(sum[:8])}
	} else {
		l.fill(q, encoding)
	}
	l.ID = messages.MaskText(l.id)
	return l
}

// fill fills in the query's fields.
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

// submitted reports whether the query came in by the door that needs no reply subject. Only the
// subject decides, because the worker wrote it; other headers may be an asker's own.
func (l *deadLetter) submitted(names messages.Names) bool {
	return l.env.Subject == names.Submit() || strings.HasPrefix(l.env.Subject, names.Submit()+".")
}

// late says that the query's own deadline has passed.
func (l *deadLetter) late(now time.Time) bool {
	return l.query.DeadlineMs > 0 && now.UnixMilli() >= l.query.DeadlineMs
}
