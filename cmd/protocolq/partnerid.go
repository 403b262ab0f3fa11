// A partner's id on the command line and in the settings: one rule, and a warning of test accounts.
package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// checkPartnerID says what is wrong with an id, and shows it: it is no secret, and most often one
// digit is missing.
func checkPartnerID(id string) error {
	if err := mapi.CheckPartner(id); err != nil {
		return fmt.Errorf("%w, not %q", err, id)
	}
	return nil
}

// onePartner is the argument of a command about one partner. It is looked at before any connection
// is made.
func onePartner(c *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(1)(c, args); err != nil {
		return err
	}
	if err := checkPartnerID(args[0]); err != nil {
		return usageError("PARTNER %w", err)
	}
	return nil
}

// testAccountHint is what to do about a test account.
const testAccountHint = "test accounts are charged 3 %: use the partner id of your own contract"

// warnTestAccounts logs which of partners are test accounts.
func warnTestAccounts(log *slog.Logger, partners []gateway.Partner) {
	for _, p := range partners {
		if source := mapi.TestPartner(p.ID); source != "" {
			log.Warn("the partner is known as a test account", "partner", p.ID, "source", source, "hint", testAccountHint)
		}
	}
}

// tellTestAccount warns of one at the command line.
func tellTestAccount(w io.Writer, id string) {
	if source := mapi.TestPartner(id); source != "" {
		fmt.Fprintf(w, "protocolq: warning: partner %s is known as a test account (%s)\n  hint: %s\n", id, source, testAccountHint)
	}
}
