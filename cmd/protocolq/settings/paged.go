// Links to the page: an address at the end of each log line that is about a run.

package settings

import (
	"context"
	"log/slog"
)

// paged adds "page" to records with a "run".
type paged struct {
	slog.Handler
	of func(run string) string
}

// Handle implements [slog.Handler].
func (p paged) Handle(ctx context.Context, r slog.Record) error {
	page := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "run" && a.Value.Kind() == slog.KindString {
			page = p.of(a.Value.String())
		}
		return page == ""
	})
	if page != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("page", page))
	}
	return p.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (p paged) WithAttrs(a []slog.Attr) slog.Handler { return paged{p.Handler.WithAttrs(a), p.of} }

// WithGroup implements [slog.Handler].
func (p paged) WithGroup(name string) slog.Handler { return paged{p.Handler.WithGroup(name), p.of} }
