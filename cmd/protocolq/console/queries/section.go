// The query log as a section of the page.

// Package queries is the console's page of the query log: what was asked and answered, found by a
// filter in the address, and the whole story of one query.
package queries

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

//go:embed templates
var files embed.FS

// ErrNoLog says that there is no query log to read; the page then says how to get one.
var ErrNoLog = errors.New("no query log")

// Options say where the log is.
type Options struct {
	// Database returns the log, which the caller owns, or ErrNoLog if there is none.
	Database func(context.Context) (*database.DB, error)
	// Hasher finds people; nil: the page cannot search for people.
	Hasher *querylog.Hasher
	Logger *slog.Logger
}

type section struct {
	o       Options
	exports chan struct{} // one token for each running export
}

// New makes the section.
func New(o Options) web.Section {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &section{o: o, exports: make(chan struct{}, mostExports)}
	templates, err := fs.Sub(files, "templates")
	if err != nil {
		panic(err) // embedded
	}
	return web.Section{Name: "queries", Path: "/queries", Right: access.See, Templates: templates, Pages: []web.Page{
		{Pattern: "GET /queries", Right: access.See, Handle: s.list},
		{Pattern: "POST /queries", Right: access.See, Handle: s.find},
		{Pattern: "POST /queries/views", Right: access.See, Handle: s.keepView},
		{Pattern: "GET /queries/export", Right: access.See, Handle: s.export},
		{Pattern: "GET /queries/{id}", Right: access.See, Handle: s.show},
	}}
}
