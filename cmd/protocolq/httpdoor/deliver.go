// Delivering answers to a webhook: until it has taken them, or for a day.

package httpdoor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// deliverer delivers the answers of one asker.
type deliverer struct {
	asker   string
	url     string
	secrets func() ([]byte, error) // the secret's file as it is now
	memory  memory
	client  *http.Client
	seen    func(result string) // delivered, failed or undelivered
	log     *slog.Logger
}

// Bounds of one delivery.
const (
	deliverTime = 8 * time.Second
	dialTime    = 4 * time.Second
	replyBytes  = 4 << 10 // of a webhook's answer, which nobody reads
)

// newWebhookClient makes the client of all deliveries: through no proxy, to no other address than
// the one that is configured, and with nothing kept between two.
func newWebhookClient() *http.Client {
	return &http.Client{Timeout: deliverTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSHandshakeTimeout: dialTime, ForceAttemptHTTP2: true,
			MaxConnsPerHost: webhooksAtOnce, MaxIdleConnsPerHost: webhooksAtOnce, IdleConnTimeout: 30 * time.Second,
			DisableCompression:     true,
			MaxResponseHeaderBytes: headerMax}}
}

// take delivers one answer. What the webhook does not take comes again, see nextTry.
func (d *deliverer) take(ctx context.Context, m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		d.log.Error("answer without metadata", "asker", d.asker, "err", err) // it was not brought by the stream
		return
	}
	id := deliveryID(meta)
	wanted, err := d.deliver(ctx, id, meta.Timestamp, m.Data())
	if err == nil {
		d.seen("delivered")
		_ = m.Ack() // one that is lost has it delivered again, under the same id
		return
	}
	wait, again := nextTry(meta.NumDelivered, time.Since(meta.Timestamp), wanted)
	if again {
		d.seen("failed")
		d.log.Info("webhook did not take an answer", "asker", d.asker, "tries", meta.NumDelivered, "wait", wait, "err",
			err)
		_ = m.NakWithDelay(wait)
		return
	}
	d.giveUp(ctx, m, meta, err)
}

// deliveryID is the same for every delivery of one answer.
func deliveryID(meta *jetstream.MsgMetadata) string {
	return "msg_" + strconv.FormatUint(meta.Sequence.Stream, 10) + "_" +
		strconv.FormatInt(meta.Timestamp.UnixNano(), 36)
}

// deliver makes one delivery. With an error it says how long the webhook wants to be left alone.
func (d *deliverer) deliver(ctx context.Context, id string, kept time.Time, result []byte) (wait time.Duration,
	err error) {
	file, err := d.secrets()
	if err != nil {
		return 0, fmt.Errorf("read secret: %w", err)
	}
	secrets, err := parseSecrets(file)
	if err != nil {
		return 0, fmt.Errorf("secret file %w", err)
	}
	body, err := json.Marshal(delivery{deliveryType, kept.UTC().Format(time.RFC3339Nano), result})
	if err != nil {
		return 0, fmt.Errorf("write delivery: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("webhook: %w", err)
	}
	now := time.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "protocolq")
	r.Header.Set(webhookID, id)
	r.Header.Set(webhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(webhookSignature, sign(secrets, id, now, body))
	w, err := d.client.Do(r)
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

// Waits between deliveries of one answer.
const (
	firstTry   = 5 * time.Second
	longestTry = time.Hour
	// deliverFor is how long an answer is tried. It is kept for longer, where it can be looked for.
	deliverFor = 24 * time.Hour
)

// nextTry is the wait after delivery n of an answer of this age: doubled each time, with up to a
// fifth more so that many do not come together, and no shorter than the webhook wants. again is
// false where that would be too late.
func nextTry(n uint64, age, wanted time.Duration) (wait time.Duration, again bool) {
	wait = longestTry
	if n < 11 { // 5 s doubled ten times is more than an hour
		wait = min(firstTry<<(max(n, 1)-1), longestTry)
	}
	wait = max(wait+rand.N(wait/5), min(wanted, longestTry))
	return wait, age+wait < deliverFor
}

// undelivered is what is kept of an answer that its webhook never took: the asker's dead letter.
type undelivered struct {
	ID       string          `json:"id"`
	Tries    uint64          `json:"tries"`
	Why      string          `json:"why"`
	FailedMs int64           `json:"failed_at_ms"`
	Result   json.RawMessage `json:"result"`
}

// giveUp keeps the answer as undelivered. It is not among the fleet's dead letters: those are for
// operators, and one broken webhook would fill their stream.
func (d *deliverer) giveUp(ctx context.Context, m jetstream.Msg, meta *jetstream.MsgMetadata, why error) {
	name := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
	r, _, err := messages.DecodeResult(m.Data(), string(messages.JSON))
	if err == nil {
		var data []byte
		data, err = json.Marshal(undelivered{r.ID, meta.NumDelivered, brief(why), time.Now().UnixMilli(), m.Data()})
		err = errors.Join(err, d.memory.Put(ctx, d.asker, messages.HTTPUndelivered, name, data, ""))
	}
	if err != nil {
		d.log.Warn("undelivered answer not kept, it comes again", "asker", d.asker, "err", err)
		_ = m.NakWithDelay(longestTry)
		return
	}
	d.seen("undelivered")
	d.log.Error("webhook never took an answer: it is among the undelivered", "asker", d.asker, "tries",
		meta.NumDelivered, "err", why)
	_ = m.Ack()
}

// brief bounds what an error says of a foreign machine.
func brief(err error) string {
	const most = 200
	if text := err.Error(); len(text) > most {
		return text[:most]
	}
	return err.Error()
}
