// Telling a webhook that a watch has ended: until it accepts that, or for a day.

package watches

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
)

// News is what a webhook is told of a watch that has ended. The account is masked.
type News struct {
	Watch        string           `json:"watch"` // its id
	State        string           `json:"state"` // signed, over, refused or lost
	User         string           `json:"user"`  // the user who watched
	Account      string           `json:"account"`
	Outcome      messages.Outcome `json:"outcome,omitempty"` // of the last reply
	Code         string           `json:"code,omitempty"`
	ChargeAgent  *bool            `json:"charge_agent,omitempty"`
	RefundCharge *bool            `json:"refund_charge,omitempty"`
	BegunMs      int64            `json:"begun_at_ms"`
	EndedMs      int64            `json:"ended_at_ms"`
	Page         string           `json:"page,omitempty"` // the page where that user sees it
}

const newsType = "watch.ended"

// tellAtOnce is how many tellings run at once, beside the questions: a slow webhook delays no
// question.
const tellAtOnce = 4

// errOwed says that the webhook must be told of a watch.
var errOwed = errors.New("the webhook is to be told")

// errNowhere says that this console has no webhook. Another console may have one.
var errNowhere = errors.New("no webhook is configured here any more")

// errBehind says that the server that was asked does not have the end of a watch yet.
var errBehind = errors.New("a server is behind the others")

// newsOf is what the webhook is told of a watch.
func newsOf(f *found, page string) News {
	n := News{Watch: f.id, State: string(f.State), User: access.NameOf(f.By), Account: f.Shown, BegunMs: f.BegunMs,
		EndedMs: f.EndedMs, Page: page}
	if r := f.Last; r != nil {
		n.Outcome, n.Code, n.ChargeAgent, n.RefundCharge = r.Outcome, r.Code, r.ChargeAgent, r.RefundCharge
	}
	return n
}

// owe notes in a record that the webhook must be told, if there is a webhook.
func (w *Watches) owe(r *record) { r.Owed = w.o.Webhook != nil && r.isNews() }

// tell tells the webhook of a watch, after so many failed tries. If this try fails, it plans the
// next one, which outlives this process. A try that the end of ctx interrupts does not count.
func (w *Watches) tell(ctx context.Context, n name, tries uint64) error {
	sending := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handleFor)
	defer cancel()
	f, ok, err := w.store.get(ctx, n)
	if err == nil && ok && f.State == watching { // it has ended, or there would be nothing to tell
		err = errBehind
	}
	if err != nil || !ok || !f.Owed {
		return err
	}
	ended := time.UnixMilli(f.EndedMs)
	wanted, err := w.send(sending, &f, ended)
	if sending.Err() != nil && err != nil {
		return err
	}
	if err != nil {
		tries++
		if wait, again := webhook.NextTry(tries, time.Since(ended), wanted); again {
			w.o.Told("failed")
			w.o.Logger.Warn("a webhook was not told of a watch", "watch", n.id, "tries", tries, "wait", wait,
				"err", err)
			return w.store.planTelling(ctx, n, time.Now().Add(wait), tries)
		}
		w.o.Told("undelivered")
		w.o.Logger.Error("a webhook was never told of a watch: its user sees it on the page", "watch", n.id, "tries",
			tries, "err", err)
	} else {
		w.o.Told("delivered")
	}
	f.Owed = false
	if err := w.store.put(ctx, &f); !errors.Is(err, errChanged) { // else another console has told it
		return err
	}
	return nil
}

// send makes one request.
func (w *Watches) send(ctx context.Context, f *found, ended time.Time) (wait time.Duration, err error) {
	if w.o.Webhook == nil {
		return 0, errNowhere
	}
	to, err := w.o.Webhook()
	if err != nil {
		return 0, fmt.Errorf("webhook: %w", err)
	}
	data, err := json.Marshal(newsOf(f, w.o.Page))
	if err != nil {
		return 0, fmt.Errorf("tell a webhook: %w", err)
	}
	return to.Send(ctx, w.client, webhook.Message{ID: "msg_watch_" + f.id, Type: newsType, At: ended, Data: data})
}
