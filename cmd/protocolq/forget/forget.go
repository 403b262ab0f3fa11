// protocolq forget: removes one person wherever persons are stored.

// Package forget removes one person wherever persons are stored: the workers' log and memory, dead
// letters, watches, the query log. It lists what cannot be deleted yet, with the time until which
// it is there.
package forget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// Command is protocolq forget.
func Command() *cobra.Command { return command("protocolq forget", "") }

// Alias is protocolq log forget, the earlier name.
func Alias() *cobra.Command { return command("protocolq log forget", "use protocolq forget") }

// forgetting is one person, and where to forget the person.
type forgetting struct {
	cfg    *settings.Config
	names  messages.Names
	hasher *querylog.Hasher
	person person
	dry    bool
	now    time.Time
}

func command(path, instead string) *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, "database", "log-hmac-key-file", "nats", "nats-creds", "inbox-prefix", "prefix")
	var email, account string
	var yes, dry bool
	c := &cobra.Command{
		Use:        "forget (--email E | --account A) [--dry-run] [--yes]",
		Short:      "Forget one person everywhere",
		Deprecated: instead,
		Long: `Removes a login, or an account, or both, wherever the person is stored. With --nats (or its variable, or
the settings file) the workers forget the person: waiting queries are answered FORGOTTEN, remembered
answers are dropped, and both are purged from their log within minutes. Dead letters about the person
are deleted, and so are watches on the page in the browser that have not ended.
With --database the person's rows are deleted, and one row records who did so, when, and how many rows
there were; the sums stay, because they name nobody. What cannot be deleted yet is listed, with the time
until which it is kept. Lines that the recorder has not read yet are not found: run the command again once
it has caught up. If some rows were written with an HMAC key that --log-hmac-key-file does not hold, the
command deletes what it can and exits 1.

--dry-run shows what there is, and deletes nothing. The command needs the rights of OPS on NATS
(deploy/nats) and those of a recorder on the database.`,
		Example: "  " + path + " --email leaving@example.com --dry-run",
		Args:    cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	c.Flags().StringVar(&email, "email", "", "the person's login")
	c.Flags().StringVar(&account, "account", "", "the person's account number")
	cli.AddYes(c, &yes)
	c.Flags().BoolVar(&dry, "dry-run", false, "show what there is, and delete nothing")
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		f, err := prepare(c, cfg, set, email, account)
		if err != nil {
			return err
		}
		if f.dry = dry; !dry {
			if err := cli.Confirm(c, yes, "Forget this person everywhere, for good?"); err != nil {
				return err
			}
		}
		r, err := f.run(c.Context(), set.Given("nats"))
		if r != nil {
			err = errors.Join(r.print(c.OutOrStdout(), *out), err)
		}
		return err
	}
	return c
}

// prepare finds out which person to forget, and where.
func prepare(c *cobra.Command, cfg *settings.Config, set *settings.Set, email, account string) (*forgetting, error) {
	if err := set.Load(c.Flags()); err != nil {
		return nil, err
	}
	if err := cli.CheckGiven(c.Flags(), "email", "account"); err != nil {
		return nil, err
	}
	h, err := cfg.Hasher()
	switch {
	case err != nil:
		return nil, err
	case email == "" && account == "":
		return nil, cli.Usage("--email or --account is needed")
	case h == nil:
		return nil, cli.Usage("the key that the log's look-up ids were made with is needed%s",
			settings.HowToSay("log-hmac-key-file"))
	case cfg.Database == "" && !set.Given("nats"): // a default is not meant for what cannot be undone
		return nil, cli.Usage("--database or --nats is needed: where is this person to be forgotten?")
	}
	names, err := messages.NewNames(cfg.Prefix)
	cli.Must(err) // load has checked it
	return &forgetting{cfg: cfg, names: names, hasher: h, now: time.Now(),
		person: person{email: email, account: account,
			ids: database.Person{Emails: h.Emails(email), Accounts: h.Accounts(account)}}}, nil
}

// run forgets in an order in which nothing comes back: first in the workers, which still answer,
// then in what was written. With an error it also gives a report of what was done until then: if a
// stream cannot be reached, the rows are deleted nevertheless.
func (f *forgetting) run(ctx context.Context, online bool) (*Report, error) {
	r := &Report{DryRun: f.dry}
	if f.cfg.Database != "" { // before anything is deleted it must be there
		if err := f.checkDatabase(ctx); err != nil {
			return nil, err
		}
	}
	var fault error
	if online {
		fault = f.online(ctx, r)
		if fault != nil && len(r.Places) == 0 { // workers that were not told would write it down again
			return nil, fault
		}
	} else {
		r.add(Place{Place: "workers",
			Left: "not asked for: who waits, and what is remembered, may be about this person yet; --nats says where " +
				"they are"})
	}
	if f.cfg.Database == "" {
		r.add(Place{Place: "database", Left: "not asked for: --database says where the query log is"})
		return r, fault
	}
	return r, errors.Join(fault, f.rows(ctx, r))
}

// leftFor lists what cannot be deleted for one person, and until when it is there.
func leftFor(now time.Time, ages map[messages.Kind]time.Duration) []Place {
	in := func(d time.Duration) *time.Time { t := now.Add(d).UTC().Truncate(time.Second); return &t }
	until := func(k messages.Kind) *time.Time { return in(ages[k]) }
	return []Place{
		{Place: "submitted", Left: "what no worker has read yet: it is answered FORGOTTEN once one reads it"},
		{Place: "replies", Left: "durable replies name the account as user_id: their asker alone may delete them",
			Until: until(messages.Replies)},
		{Place: "http", Left: "answers that an HTTP door keeps, if there is one, name the account as user_id",
			Until: in(provision.HTTPAge)},
		{Place: "events", Left: "events, masked", Until: until(messages.Events)},
		{Place: "ended_watches", Left: "watches that have ended, if there are any, masked",
			Until: in(provision.WatchAge)},
		{Place: "log", Left: "lines, masked, that no recorder has written yet: forget again once it has"},
	}
}

// hasOtherKeys reports whether rows were written with an HMAC key that was not given.
func (f *forgetting) hasOtherKeys(versions []string) bool {
	return slices.ContainsFunc(versions, func(v string) bool { return !f.hasher.Knows(v) })
}

// errOtherKeys says so.
func errOtherKeys() error {
	return &cli.Error{Code: cli.ExitOther,
		Err: fmt.Errorf("the log has rows that were written with another key: whether this person is in them is not " +
			"known"),
		Hint: "put every key that the workers had into the file of --log-hmac-key-file, a line each, and do it again"}
}
