// Watches as a section of the page.

// Package watches tells a user when a person has signed: it asks again on a schedule that NATS
// keeps, and shows the result. A watch is a record and the plan of its next question, both in the
// stream WATCHES. All consoles share the due messages:
//
//	button ─► record, plan ··· an hour ··· due ─► submit ─► workers ─► reply ─► record ─► page
//	                     ▲                  │
//	                     └──── next plan ◄──┘                        └─ ended ─► plan, due ─► webhook
package watches

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
	"protocolq/messages/ask"
)

//go:embed all:templates
var files embed.FS

// Asker submits questions and reads their replies; messages/ask's Client does.
type Asker interface {
	Submit(ctx context.Context, q messages.Query) (ask.Ack, error)
	Replies(ctx context.Context, o ask.ReadOptions, each func(context.Context, ask.Reply) error) error
}

// Options say how to watch. The zero value of a field is its default.
type Options struct {
	NATS      *nats.Conn
	JetStream jetstream.JetStream
	API       string // "$JS.API"
	Names     messages.Names
	Asker     Asker
	// May reports whether a user may still ask for a partner. After an error, that is not known.
	May    func(by, partner string) (bool, error)
	Logger *slog.Logger
	Every  time.Duration // 1 h: the shortest wait between two questions
	// Webhook returns the webhook that is told when a watch has ended, as it is now; nil: there is
	// none.
	Webhook func() (webhook.Target, error)
	Page    string              // the address of the page of watches, for the webhook
	Told    func(result string) // called after each telling: delivered, failed or undelivered
}

// Watches are the watches of all users.
type Watches struct {
	o      Options
	store  *store
	ready  readiness
	client *http.Client
}

// New makes Watches. It starts nothing: see Run.
func New(o Options) *Watches {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = time.Hour
	}
	if o.Told == nil {
		o.Told = func(string) {}
	}
	return &Watches{o: o, store: newStore(o), client: webhook.NewClient(tellAtOnce)}
}

// Section is the page of watches.
func (w *Watches) Section() web.Section {
	templates, err := fs.Sub(files, "templates")
	if err != nil {
		panic(err) // embedded
	}
	return web.Section{Name: "watches", Path: "/watches", Right: access.Ask, Templates: templates, Pages: []web.Page{
		{Pattern: "GET /watches", Right: access.Ask, Handle: w.page},
		{Pattern: "GET /watches/events", Right: access.Ask, Handle: w.events},
		{Pattern: "POST /watches/cancel", Right: access.Ask, Handle: w.cancel},
	}}
}

// Begin watches the person of a query for a user. The word says what came of it, for the page;
// shown is the account, masked.
func (w *Watches) Begin(ctx context.Context, by, shown string, q messages.Query) (word string, err error) {
	n := name{ownerOf(by), strings.ToLower(rand.Text())}
	planned := false
	for range mostTries {
		var more bool
		word, more, err = w.begin(ctx, n, by, shown, q)
		planned = planned || more
		if !errors.Is(err, errChanged) {
			break
		}
		pause(ctx)
	}
	if planned && (err != nil || word != string(begunNote)) {
		// It comes due at once, as nobody's, and takes no room until its time. If there is a watch after
		// all, it is planned again then.
		err = errors.Join(err, w.store.plan(context.WithoutCancel(ctx), n, time.Now()))
	}
	if err != nil {
		return "", fmt.Errorf("begin a watch: %w", err)
	}
	return word, nil
}

// begin is Begin, but returns errChanged if the user's watches change meanwhile; planned says that
// a question may be planned.
func (w *Watches) begin(ctx context.Context, n name, by, shown string, q messages.Query) (word string, planned bool,
	err error) {
	own, err := w.store.list(ctx, n.owner)
	if err != nil {
		return "", false, err
	}
	now := time.Now().Truncate(time.Second)
	if word := admit(own, q, now); word != begunNote {
		return string(word), false, nil
	}
	all, err := w.store.planned(ctx)
	if err != nil || all >= mostOfAll {
		return string(fullNote), false, err
	}
	f, at := found{name: n}, next(now, now, w.o.Every)
	f.record = record{By: by, Shown: shown, BegunMs: now.UnixMilli(), DueMs: at.UnixMilli(),
		Query: &messages.Query{V: messages.Version, Partner: q.Partner, UserEmail: q.UserEmail, AccountNo: q.AccountNo}}
	// The plan first: a plan without a record has no effect, but a record without a plan would wait
	// for ever.
	if err := w.store.plan(ctx, n, at); err != nil {
		return "", true, err
	}
	// Counted again with the watches that begin at the same time, here and in other consoles: together
	// they must not exceed the bound.
	if all, err = w.store.planned(ctx); err != nil || all > mostOfAll {
		return string(fullNote), true, err
	}
	return string(begunNote), true, w.store.add(ctx, &f, own)
}

// newsFor is how long the page says that a person has signed.
const newsFor = 24 * time.Hour

// Signed is how many persons whom a user watched have signed within a day.
func (w *Watches) Signed(ctx context.Context, by string) (n int, err error) {
	own, err := w.store.list(ctx, ownerOf(by))
	for i := range own {
		if r := &own[i].record; r.State == signed && time.Since(time.UnixMilli(r.EndedMs)) < newsFor {
			n++
		}
	}
	return n, err
}

// mostTries is how often a change is tried if other changes come first.
const mostTries = 4

// stop cancels a watch and returns its account, masked; "" if no such watch is open.
func (w *Watches) stop(ctx context.Context, by, id string) (shown string, err error) {
	if !messages.IsToken(id) {
		return "", nil
	}
	ok, err := w.change(ctx, name{ownerOf(by), id}, func(r *record) {
		shown = r.Shown
		r.end(cancelled, time.Now())
	})
	if !ok {
		shown = ""
	}
	return shown, err
}

// change changes an open watch; ok is false if there is none, and after an error.
func (w *Watches) change(ctx context.Context, n name, do func(*record)) (ok bool, err error) {
	for range mostTries {
		f, ok, err := w.store.get(ctx, n)
		if err != nil || !ok || f.State != watching {
			return false, err
		}
		do(&f.record)
		if err = w.store.put(ctx, &f); !errors.Is(err, errChanged) {
			return err == nil, err
		}
		pause(ctx)
	}
	return false, fmt.Errorf("change a watch: %w", errChanged)
}

// pause waits before a changed record is read again: the server that is asked may not have the
// change yet.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(storeTime / 50):
	}
}
