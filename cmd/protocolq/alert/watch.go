// Watch: checks the rules and sends to the targets what they find.

package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"time"

	"protocolq/worker/ops"
	"protocolq/worker/record"
)

// Options are what a Watch needs. All but Page are needed.
type Options struct {
	Targets []Target
	Prefix  string // of the fleet, as messages name it
	// Page gives the address of a path of the page in the browser, "" if there is no page; nil: there
	// is none.
	Page func(path string) string
	Self string // this process, unique in the fleet
	// Look gives the present figures of the fleet.
	Look    func(context.Context) (ops.Series, error)
	Records record.Store // where RecordName is
	Logger  *slog.Logger
}

// Watch checks the alerts' rules and pushes what they find.
type Watch struct {
	o        Options
	client   *http.Client
	problems ops.Problems
	history  ops.History
	given    map[string]map[string]entry // by target; nil: another sends
	next     map[string]time.Time        // by target: not before
	failures map[string]int              // in a row
	said     map[string]time.Time        // when trouble of a kind was logged
}

// Times.
const (
	lookEvery = 15 * time.Second
	lookTime  = 5 * time.Second
	sendTime  = 10 * time.Second
	sendEvery = 30 * time.Second // to one target, at most
	mostPause = 10 * time.Minute // after failures
	mostReply = 64 << 10
	logEvery  = 5 * time.Minute
)

// New makes a Watch. It starts nothing.
func New(o Options) *Watch {
	return &Watch{o: o, problems: ops.Problems{}, next: map[string]time.Time{}, failures: map[string]int{},
		said: map[string]time.Time{},
		// A redirect would take the message, and what signs it, elsewhere.
		client: &http.Client{Timeout: sendTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		w.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round looks once, and sends what there is to send.
func (w *Watch) round(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, lookTime)
	series, err := w.o.Look(within)
	cancel()
	now := time.Now()
	if err != nil {
		w.trouble("alerts: the fleet was not looked at", err, "is NATS there, and may this user ask for $SRV.STATS?")
		return
	}
	w.history = w.history.With(ops.Sample{At: now, Series: series})
	w.problems.Look(w.history)
	held, err := hold(ctx, w.o.Records, w.o.Self, now, w.given)
	switch {
	case errors.Is(err, errOther):
		w.given = nil
		return
	case err != nil:
		w.trouble("alerts: not known who sends, so nobody does", err,
			"protocolq provision --update lets FLEET have the record; may this user write it?")
		return
	}
	w.given = held
	for _, t := range w.o.Targets {
		if ctx.Err() == nil && !now.Before(w.next[t.id()]) {
			w.send(ctx, t, now)
		}
	}
}

// send sends one target what is due.
func (w *Watch) send(ctx context.Context, t Target, now time.Time) {
	id := t.id()
	if w.given[id] == nil {
		w.given[id] = map[string]entry{}
	}
	n := due(w.given[id], w.problems, w.history, now)
	if n.prefix, n.page = w.o.Prefix, w.o.Page; len(n.firing)+len(n.resolved) == 0 {
		return
	}
	if err := w.post(ctx, t, n, now); err != nil {
		w.failures[id]++
		w.next[id] = now.Add(min(sendEvery<<min(w.failures[id], 8), mostPause))
		w.trouble("alerts not taken by "+t.String(), err, "is its line in alert-webhook-file right?")
		return
	}
	w.failures[id], w.next[id] = 0, now.Add(sendEvery)
	note(w.given[id], n, now)
	w.o.Logger.Info("alerts sent", "to", t.String(), "firing", len(n.firing), "resolved", len(n.resolved))
	if _, err := hold(ctx, w.o.Records, w.o.Self, now, maps.Clone(w.given)); err != nil && !errors.Is(err, errOther) {
		w.trouble("alerts: what was said is not written down", err, "it is written with the next look")
	}
}

// post makes one request. Its error has no URL, which is secret.
func (w *Watch) post(ctx context.Context, t Target, n notice, now time.Time) error {
	r, err := t.request(ctx, n, now)
	if err != nil {
		return errors.New("the request cannot be made")
	}
	resp, err := w.client.Do(r)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err
		}
		return fmt.Errorf("not reached: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, mostReply))
	return t.took(resp.StatusCode, body)
}

// trouble logs now and then what goes wrong.
func (w *Watch) trouble(what string, err error, hint string) {
	if now := time.Now(); now.Sub(w.said[what]) >= logEvery {
		w.said[what] = now
		w.o.Logger.Error("alerts in trouble", "what", what, "err", err, "hint", hint)
	}
}
