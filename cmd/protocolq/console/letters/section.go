// Dead letters and the operators' switches as sections of the page.

// Package letters is the console's page of dead letters and of the operators' actions: ask again,
// discard, pause the intake, halt a partner. The operator confirms each action and the number that
// it affects, and the action leaves an audit row.
package letters

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/dead"
	"protocolq/worker/intake"
	"protocolq/worker/partner"
	"protocolq/worker/querylog"
)

//go:embed all:templates
var files embed.FS

// Box is the stream of dead letters; [dead.Box] is one.
type Box interface {
	Find(ctx context.Context, f dead.Filter, span uint64) (dead.Found, error)
	Get(ctx context.Context, seq uint64) (dead.Letter, error)
	Redrive(ctx context.Context, seqs []uint64, dropDeadline bool) (dead.Done, error)
	Discard(ctx context.Context, seqs []uint64) (dead.Done, error)
}

// Switches are the records that operators write for the fleet.
type Switches interface {
	Pause(ctx context.Context) (intake.Pause, error)
	SetPause(ctx context.Context, p intake.Pause) error
	Halts(ctx context.Context) (map[string]partner.Halt, error)
	SetHalt(ctx context.Context, name string, h partner.Halt) error
}

// Options say what the page acts on.
type Options struct {
	Box      Box
	Switches Switches
	Audit    audit.Log
	// Partners can be halted in addition to those that have been halted before.
	Partners []string
	// Hasher lets an address hold a person without the name; nil: the page cannot search for persons.
	Hasher *querylog.Hasher
	Logger *slog.Logger
}

type section struct{ o Options }

// New makes the two sections: the dead letters, and the switches.
func New(o Options) []web.Section {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &section{o}
	of := func(folder string) fs.FS {
		templates, err := fs.Sub(files, folder)
		if err != nil {
			panic(err) // embedded
		}
		return templates
	}
	return []web.Section{
		{Name: "letters", Path: "/letters", Right: access.See, Templates: of("templates/letters"), Pages: []web.Page{
			{Pattern: "GET /letters", Right: access.See, Handle: s.list},
			{Pattern: "POST /letters", Right: access.See, Handle: s.find},
			{Pattern: "POST /letters/confirm", Right: access.Act, Handle: s.confirm},
			{Pattern: "POST /letters/do", Right: access.Act, Handle: s.act},
			{Pattern: "GET /letters/{seq}", Right: access.See, Handle: s.show},
			{Pattern: "POST /letters/{seq}/reveal", Right: access.Reveal, Handle: s.reveal},
		}},
		{Name: "controls", Path: "/controls", Right: access.See, Templates: of("templates/controls"), Pages: []web.Page{
			{Pattern: "GET /controls", Right: access.See, Handle: s.controls},
			{Pattern: "POST /controls/confirm", Right: access.Act, Handle: s.confirmSwitch},
			{Pattern: "POST /controls/do", Right: access.Act, Handle: s.doSwitch},
		}},
	}
}
