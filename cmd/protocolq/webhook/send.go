// Sending one message, and when it is sent again.

package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Message is what a webhook is told.
type Message struct {
	ID   string // the same however often it is sent
	Type string
	At   time.Time // of what it tells
	Data json.RawMessage
}

// Body is what is sent of a message.
type Body struct {
	Type      string          `json:"type"`
	Timestamp string          `json:"timestamp"` // of what it tells
	Data      json.RawMessage `json:"data"`
}

// Headers of a message.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Bounds of one sending.
const (
	SendTime   = 8 * time.Second
	dialTime   = 4 * time.Second
	headerMax  = 16 << 10
	replyBytes = 4 << 10 // of the receiver's answer, which nobody reads
)

// NewClient makes a client for all sendings, atOnce of them to one host: through no proxy, to no
// other address than the one that is configured, and with nothing kept between two.
func NewClient(atOnce int) *http.Client {
	return &http.Client{Timeout: SendTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSHandshakeTimeout: dialTime, ForceAttemptHTTP2: true,
			MaxConnsPerHost: atOnce, MaxIdleConnsPerHost: atOnce, IdleConnTimeout: 30 * time.Second,
			DisableCompression:     true,
			MaxResponseHeaderBytes: headerMax}}
}

// Send sends a message once; it is taken where there is no error. With one it says how long the
// webhook wants to be left alone. No error has the address in it.
func (t Target) Send(ctx context.Context, client *http.Client, m Message) (wait time.Duration, err error) {
	body, err := json.Marshal(Body{m.Type, m.At.UTC().Format(time.RFC3339Nano), m.Data})
	if err != nil {
		return 0, fmt.Errorf("write delivery: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, SendTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("webhook: the request cannot be made")
	}
	now := time.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "protocolq")
	r.Header.Set(headerID, m.ID)
	r.Header.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(headerSignature, sign(t.secrets, m.ID, now, body))
	w, err := client.Do(r)
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err // without the address, which may have a secret in it
	}
	if err != nil {
		return 0, fmt.Errorf("webhook: %w", err)
	}
	defer w.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(w.Body, replyBytes)) // so that the connection can be used again
	if w.StatusCode/100 == 2 {
		return 0, nil
	}
	return retryAfter(w.Header), fmt.Errorf("webhook: status %d", w.StatusCode)
}

// retryAfter is a Retry-After in seconds; 0 without one.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(h.Get("Retry-After")), 10, 20)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// Waits between sendings of one message.
const (
	firstTry   = 5 * time.Second
	LongestTry = time.Hour
	// TryFor is how long a message is tried.
	TryFor = 24 * time.Hour
)

// NextTry is the wait after sending n of a message of this age: doubled each time, with up to a
// fifth more so that many do not come together, and no shorter than the webhook wants. again is
// false where that would be too late.
func NextTry(n uint64, age, wanted time.Duration) (wait time.Duration, again bool) {
	wait = LongestTry
	if n < 11 { // 5 s doubled ten times is more than an hour
		wait = min(firstTry<<(max(n, 1)-1), LongestTry)
	}
	wait = max(wait+rand.N(wait/5), min(wanted, LongestTry))
	return wait, age+wait < TryFor
}
