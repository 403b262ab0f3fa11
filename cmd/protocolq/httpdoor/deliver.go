// Delivering answers to a webhook: until it has taken them, or for a day.

package httpdoor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
)

// deliverer delivers the answers of one asker.
type deliverer struct {
	asker   string
	url     string
	secrets func() ([]byte, error) // the present content of the secret's file
	memory  memory
	client  *http.Client
	seen    func(result string) // delivered, failed or undelivered
	log     *slog.Logger
}

// take delivers one answer. If the webhook does not take it, the message comes again: see
// [webhook.NextTry].
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
		_ = m.Ack() // if it is lost, the answer is delivered again, under the same id
		return
	}
	wait, again := webhook.NextTry(meta.NumDelivered, time.Since(meta.Timestamp), wanted)
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

// deliver makes one delivery. With an error it gives the time that the webhook wants to wait.
func (d *deliverer) deliver(ctx context.Context, id string, kept time.Time, result []byte) (wait time.Duration,
	err error) {
	file, err := d.secrets()
	if err != nil {
		return 0, fmt.Errorf("read secret: %w", err)
	}
	to, err := webhook.NewTarget(d.url, file)
	if err != nil {
		return 0, fmt.Errorf("secret file %w", err)
	}
	return to.Send(ctx, d.client, webhook.Message{ID: id, Type: deliveryType, At: kept, Data: result})
}

// undelivered is what is stored of an answer that its webhook never took: the asker's dead letter.
type undelivered struct {
	ID       string          `json:"id"`
	Tries    uint64          `json:"tries"`
	Why      string          `json:"why"`
	FailedMs int64           `json:"failed_at_ms"`
	Result   json.RawMessage `json:"result"`
}

// giveUp stores the answer as undelivered. It does not go to the fleet's dead letters, because
// those are for operators, and one broken webhook would fill their stream.
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
		_ = m.NakWithDelay(webhook.LongestTry)
		return
	}
	d.seen("undelivered")
	d.log.Error("webhook never took an answer: it is among the undelivered", "asker", d.asker, "tries",
		meta.NumDelivered, "err", why)
	_ = m.Ack()
}

// brief bounds what an error says about a foreign machine.
func brief(err error) string {
	const most = 200
	if text := err.Error(); len(text) > most {
		return text[:most]
	}
	return err.Error()
}
