// protocolq log forget: deletes one person's rows.
package main

import (
	"context"
	"fmt"

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
up. It needs the rights of a recorder on the database.`,
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
	if n == 0 { // who has to delete somebody must not take a wrong key for success
		noteKey(c, db, f.hasher)
	}
	if f.out == asJSON {
		return printJSON(c.OutOrStdout(), map[string]int64{"deleted": n})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "forgotten  %s rows deleted\n", grouped(n))
	return err
}
