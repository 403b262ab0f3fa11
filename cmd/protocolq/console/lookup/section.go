// The look-up as a section of the page.

// Package lookup is the console's start page: the reader enters an account and gets the answer,
// large and plain. The page asks by a message, like every other program.
package lookup

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/messages"
)

//go:embed all:templates
var files embed.FS

// Asker asks one question; messages/ask's Client does.
type Asker interface {
	Ask(ctx context.Context, q messages.Query) (messages.Result, error)
}

// Options say how to look up. The zero value of a field is its default.
type Options struct {
	Asker Asker
	// Partners are the partners of users whose row names none; empty: only the workers' default.
	Partners []string
	// Watch tells readers when somebody has signed; nil: the page offers no watches.
	Watch    Watcher
	Patience time.Duration // 30 s: how long to wait for an answer
	Logger   *slog.Logger
}

// section is what its pages share.
type section struct {
	o     Options
	kept  *store
	rates *access.Rates
}

// New makes the section.
func New(o Options) web.Section {
	if o.Patience <= 0 {
		o.Patience = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &section{o: o, kept: newStore(o.Asker, o.Patience), rates: access.NewRates(time.Minute, 10_000)}
	templates, err := fs.Sub(files, "templates")
	if err != nil {
		panic(err) // embedded
	}
	return web.Section{Name: "lookup", Path: "/", Right: access.Ask, Templates: templates, Pages: []web.Page{
		{Pattern: "GET /{$}", Right: access.Ask, Handle: s.form},
		{Pattern: "POST /look-up", Right: access.Ask, Handle: s.ask},
		{Pattern: "GET /look-up/{ref}", Right: access.Ask, Handle: s.answer},
		{Pattern: "POST /look-up/{ref}/watch", Right: access.Ask, Handle: s.watch},
		{Pattern: "GET /look-up/{ref}/events", Right: access.Ask, Handle: s.events},
	}}
}
