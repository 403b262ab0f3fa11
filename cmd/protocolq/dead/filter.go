// Which dead letters are meant: by reason, time, partner, id or sequence.

package dead

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// deadFilter selects letters. A zero field selects all.
type deadFilter struct {
	reasons      []string
	since, until time.Time
	partner, id  string
	email        string // a login, in any spelling
	account      string
	after        uint64 // only dead letters after this sequence
	limit        int    // 0: no limit

	sinceText, untilText string
	flags                *pflag.FlagSet
}

func deadReasons() []string {
	return []string{messages.DeadUnreadable, messages.DeadReplyRefused, messages.DeadReplyFull, messages.DeadPoison,
		messages.DeadExpired, messages.DeadCrashed}
}

func (f *deadFilter) add(c *cobra.Command, limit int, limitUsage string) {
	fs := c.Flags()
	f.flags = fs
	fs.StringSliceVar(&f.reasons, "reason", nil, "only these: "+strings.Join(deadReasons(), ", "))
	fs.StringVar(&f.sinceText, "since", "", "only since then: 2h (ago), 7d, 2006-01-02 or RFC 3339")
	fs.StringVar(&f.untilText, "until", "", "only before then")
	fs.StringVar(&f.partner, "partner", "", "only of this partner, 2088 and 12 digits")
	fs.StringVar(&f.id, "id", "", "only of the query with this id")
	fs.StringVar(&f.email, "email", "", "only of this login, in any spelling")
	fs.StringVar(&f.account, "account", "", "only of this account number")
	fs.IntVar(&f.limit, "limit", limit, limitUsage)
	cli.Must(c.RegisterFlagCompletionFunc("reason",
		cobra.FixedCompletions(deadReasons(), cobra.ShellCompDirectiveNoFileComp)))
}

// filterFlags are those that select; limit only cuts.
var filterFlags = []string{"reason", "since", "until", "partner", "id", "email", "account"}

// said reports whether the command line selects by a filter.
func (f *deadFilter) said(fs *pflag.FlagSet) bool {
	return slices.ContainsFunc(filterFlags, fs.Changed)
}

// check reads the times and reports every fault.
func (f *deadFilter) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if err := cli.CheckGiven(f.flags, filterFlags...); err != nil {
		fault("%w", err)
	}
	for _, r := range f.reasons {
		if !slices.Contains(deadReasons(), r) {
			fault("--reason must be one of %s, not %q", strings.Join(deadReasons(), ", "), r)
		}
	}
	var err error
	now := time.Now()
	if f.since, err = cli.ParseWhen(f.sinceText, now); err != nil {
		fault("--since %w", err)
	}
	if f.until, err = cli.ParseWhen(f.untilText, now); err != nil {
		fault("--until %w", err)
	}
	if err := settings.CheckPartnerID(f.partner); f.partner != "" && err != nil {
		fault("--partner %w", err)
	}
	if f.limit < 0 {
		fault("--limit must not be negative")
	}
	if err := errors.Join(faults...); err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	return nil
}

// ends says that no dead letter from l on is selected.
func (f *deadFilter) ends(l *deadLetter) bool { return !f.until.IsZero() && !l.At.Before(f.until) }

func (f *deadFilter) selects(l *deadLetter) bool {
	return l.Seq > f.after && !l.At.Before(f.since) &&
		(len(f.reasons) == 0 || slices.Contains(f.reasons, l.Reason)) &&
		(f.partner == "" || f.partner == l.Partner) && (f.id == "" || f.id == l.id) &&
		(f.email == "" || strings.EqualFold(strings.TrimSpace(f.email), strings.TrimSpace(l.query.UserEmail))) &&
		(f.account == "" || f.account == l.query.AccountNo)
}
