// Reading a request: its body, and the headers that say something about a query.

package httpdoor

import (
	"cmp"
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"protocolq/messages"
)

// Waits of one request. A longer one would more likely be cut on the way than answered.
const (
	defaultWait = 10 * time.Second
	longestWait = time.Minute
)

// bodyTime is how long a body may take to come.
const bodyTime = 10 * time.Second

// body notes when it has been read completely. Until then it has its deadline, because the server
// reads on after an early response.
type body struct {
	io.ReadCloser
	whole func()
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.whole()
	}
	return n, err
}

// readJSON reads a body that must be JSON; if ok is false, the response says what is wrong.
func readJSON(r *http.Request) (data []byte, a answer, ok bool) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != string(messages.JSON) {
		return nil, because(wrongMedia, "send Content-Type: application/json"), false
	}
	data, err = io.ReadAll(r.Body)
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, because(tooLarge, "the body may have "+strconv.FormatInt(large.Limit, 10)+" bytes"), false
	}
	if err != nil {
		return nil, because(badRequest, "the body did not come whole within "+bodyTime.String()), false
	}
	return data, answer{}, true
}

// readQuery is the query of a body and the request's headers Idempotency-Key, for an asker.
func readQuery(a *Asker, data []byte, idempotencyKeys []string) (messages.Query, answer, bool) {
	q, _, err := messages.DecodeQuery(data, string(messages.JSON))
	if err == nil {
		q.Partner, q.ID = cmp.Or(q.Partner, a.Partners[0]), cmp.Or(q.ID, rand.Text())
		err = addKey(&q, idempotencyKeys)
	}
	if fault, ok := errors.AsType[*messages.Error](err); ok {
		return q, of(fault.Result()), false
	}
	if !a.may(q.Partner) {
		return q, because(forbidden, "partner: give one of this asker's own"), false
	}
	return q, answer{}, true
}

// addKey puts the header Idempotency-Key into q, and checks what DecodeQuery could not know.
func addKey(q *messages.Query, headers []string) error {
	fault := func(field, reason string) error {
		return &messages.Error{Code: messages.BadRequest, Field: field, Reason: reason, ID: q.ID}
	}
	if q.ReplyTo != "" {
		return fault("reply_to", "is not for HTTP; the answer is in the response, or at its Location")
	}
	key := ""
	switch len(headers) {
	case 0:
	case 1:
		key = unquoted(headers[0])
	default:
		return fault("key", "has more than one header Idempotency-Key; give one")
	}
	if key != "" && q.Key != "" && key != q.Key {
		return fault("key", "is not that of the header Idempotency-Key; give one of them")
	}
	q.Key = cmp.Or(key, q.Key)
	return q.Check()
}

// unquoted is a header's text, which the draft standard puts in quotes and most callers do not.
func unquoted(text string) string {
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		if inner, ok = strings.CutSuffix(inner, `"`); ok {
			return inner
		}
	}
	return text
}

// preferredWait is how long a request wants to wait by its Prefer headers (RFC 7240): wait=N in
// seconds, or respond-async for no wait. A preference that cannot be read is ignored.
func preferredWait(prefer []string) time.Duration {
	wait := defaultWait
	for _, line := range prefer {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				return 0
			case "wait":
				if n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31); err == nil {
					wait = min(time.Duration(n)*time.Second, longestWait)
				}
			}
		}
	}
	return wait
}
