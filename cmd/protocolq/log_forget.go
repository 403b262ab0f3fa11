// protocolq log forget: deletes one person's rows.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

func newLogForget() *cobra.Command {
	cfg, rec := &Config{}, &recordConfig{}
	set := newSettings(append(cfg.table(), rec.settings()...), "database", "log-hmac-key-file")
	var email, account string
	var yes bool
	c := &cobra.Command{
		Use:   "forget (--email E | --account A) --yes",
		Short: "Delete one person's rows",
		Long: `Deletes every ask and every run of a login, or of an account, or both. The sums stay, as nobody is in
them. What the recorder has not read from the stream yet is not found: do it again once it has caught
up. Where there are rows of a key that --log-hmac-key-file does not hold it deletes what it can and fails.
It needs the rights of a recorder on the database.`,
		Example: `  protocolq log forget --email leaving@example.com --yes`,
		Args:    cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	c.Flags().StringVar(&email, "email", "", "the person's login")
	c.Flags().StringVar(&account, "account", "", "the person's account number")
	c.Flags().BoolVar(&yes, "yes", false, "do it; there is no way back")
	out := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags(), rec.needDatabase); err != nil {
			return err
		}
		if err := checkGiven(c.Flags(), "email", "account"); err != nil {
			return err
		}
		h, err := rec.hasher()
		switch {
		case err != nil:
			return err
		case email == "" && account == "":
			return usageError("--email or --account is needed")
		case h == nil:
			return usageError("the key that the log's look-up ids were made with is needed%s", howToSay("log-hmac-key-file"))
		case !yes:
			return usageError("--yes is needed: what is deleted is gone")
		}
		return runLogForget(c.Context(), c, rec, forgetting{database.Person{Emails: h.Emails(email), Accounts: h.Accounts(account)}, h, *out})
	}
	return c
}

type forgetting struct {
	person database.Person
	hasher *querylog.Hasher
	out    output
}

func runLogForget(ctx context.Context, c *cobra.Command, rec *recordConfig, f forgetting) error {
	// To make the tables is no business of forgetting.
	check, err := rec.openForReading(ctx)
	if err != nil {
		return err
	}
	if err := check.Close(); err != nil {
		return err
	}
	db, err := rec.openLog(ctx, database.Options{URL: rec.Database})
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.Forget(ctx, f.person)
	if err != nil {
		return err
	}
	versions, err := db.HashVersions(ctx)
	if err != nil {
		return err
	}
	if err := f.tell(c.OutOrStdout(), n); err != nil {
		return err
	}
	// Who has to delete somebody must not take a wrong key, or one of two, for success.
	if slices.ContainsFunc(versions, func(v string) bool { return !f.hasher.Knows(v) }) {
		return &exitError{Code: exitOther, Err: errors.New("the log has rows that were written with another key: whether this person is in them is not known"),
			Hint: "put every key that the workers had into the file of --log-hmac-key-file, a line each, and do it again"}
	}
	return nil
}

func (f *forgetting) tell(w io.Writer, n int64) error {
	if f.out == asJSON {
		return printJSON(w, map[string]int64{"deleted": n})
	}
	rows := "rows"
	if n == 1 {
		rows = "row"
	}
	_, err := fmt.Fprintf(w, "forgotten  %s %s deleted\n", grouped(n), rows)
	return err
}
