// protocolq log: what happened to a query. The group of commands, and the flags by which they find
// rows.

package querylog

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// Command is log, with a command for each way to look at it.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "Show what happened to a query",
		Long: `The query log holds every ask (who asked when, by which door, and the answer) and every run of the
gateway (each call, how long each part of it took, and what came back). E-mail addresses and account
numbers are masked in it, and found again by a keyed hash (--log-hmac-key-file).`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newLogList(), newLogShow(), newLogStats(), newLogExport())
	return c
}

// logFilter is a filter as a person gives it.
type logFilter struct {
	email, account, key, id string
	partner, outcome, code  string
	sinceText, untilText    string
	slow                    time.Duration
	filter                  database.Filter
	flags                   *pflag.FlagSet
}

var logOutcomes = []string{string(messages.Signed), string(messages.NotSigned), string(messages.Abnormal),
	string(messages.Refused), string(messages.Unknown)}

func (f *logFilter) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.email, "email", "", "only of this login, in any spelling")
	fs.StringVar(&f.account, "account", "", "only of this account number")
	fs.StringVar(&f.key, "key", "", "only with this key; needs --partner, as keys are the partner's own")
	fs.StringVar(&f.id, "id", "", "only with this id, as the asker gave it")
	fs.StringVar(&f.partner, "partner", "", "only of this partner, 2088 and 12 digits")
	fs.StringVar(&f.outcome, "outcome", "", "only with this outcome: signed, not_signed, abnormal, refused, unknown")
	fs.StringVar(&f.code, "code", "", "only with this code")
	f.addSpan(fs)
	fs.DurationVar(&f.slow, "slow", 0, "only those that took this long or longer")
	cli.Must(c.RegisterFlagCompletionFunc("outcome",
		cobra.FixedCompletions(logOutcomes, cobra.ShellCompDirectiveNoFileComp)))
}

func (f *logFilter) addSpan(fs *pflag.FlagSet) {
	f.flags = fs
	fs.StringVar(&f.sinceText, "since", "", "only since then: 2h (ago), 7d, 2006-01-02 or RFC 3339")
	fs.StringVar(&f.untilText, "until", "", "only before then")
}

// resolve makes the filter and reports every fault. Personal fields are hashed here and not passed
// on.
func (f *logFilter) resolve(h *querylog.Hasher) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	f.filter = database.Filter{Partner: f.partner, Outcome: f.outcome, Code: f.code, Slow: f.slow}
	err := cli.CheckGiven(f.flags, "email", "account", "key", "id", "partner", "outcome", "code", "since", "until")
	if err != nil {
		fault("%w", err)
	}
	now := time.Now()
	if f.filter.Since, err = cli.ParseWhen(f.sinceText, now); err != nil {
		fault("--since %w", err)
	}
	if f.filter.Until, err = cli.ParseWhen(f.untilText, now); err != nil {
		fault("--until %w", err)
	}
	if err := f.filter.Check(); err != nil {
		fault("--%w", err)
	}
	if err := settings.CheckPartnerID(f.partner); f.partner != "" && err != nil {
		fault("--partner %w", err)
	}
	if f.outcome != "" && !slices.Contains(logOutcomes, f.outcome) {
		fault("--outcome must be one of %v, not %q", logOutcomes, f.outcome)
	}
	if f.slow < 0 {
		fault("--slow must not be negative")
	}
	if f.key != "" && f.partner == "" {
		fault("--key needs --partner: each partner's askers have keys of their own")
	}
	if (f.email != "" || f.account != "" || f.key != "") && h == nil {
		fault("--email, --account and --key need the key that the log's look-up ids were made with%s",
			settings.HowToSay("log-hmac-key-file"))
	} else if h != nil {
		f.filter.Emails, f.filter.Accounts = h.Emails(f.email), h.Accounts(f.account)
		if f.key != "" {
			f.filter.Keys = h.Keys(messages.Query{Partner: f.partner, Key: f.key}.KeyToken())
		}
	}
	if f.id != "" {
		f.filter.Requests = h.Requests(f.id)
	}
	if err := errors.Join(faults...); err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	return nil
}

// noteKey says, if nothing was found, that the HMAC key may be the cause: the newest row was made
// with a key that h does not know.
func noteKey(c *cobra.Command, db *database.DB, h *querylog.Hasher) {
	page, err := db.List(c.Context(), database.Filter{}, database.Cursor{}, 1)
	if err == nil && len(page.Asks) == 1 && !h.Knows(page.Asks[0].HashVersion) {
		fmt.Fprintln(c.ErrOrStderr(),
			"note: the newest row was made with another key than --log-hmac-key-file holds: take the workers' key file")
	}
}
