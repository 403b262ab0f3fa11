// The root command: the list of everything protocolq can do, and how a command line becomes an exit code.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// run obeys one command line and returns the exit code.
func run(args []string) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	reached := false
	root := newRoot(&reached)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err != nil && !reached {
		err = suggesting(command, err)
	}
	return report(os.Stderr, err, reached, "see '"+command.CommandPath()+" --help'")
}

// suggesting adds to the error of a mistyped command which one may have been meant.
func suggesting(parent *cobra.Command, err error) error {
	rest, ok := strings.CutPrefix(err.Error(), `unknown command "`)
	if !ok {
		return err
	}
	word, _, _ := strings.Cut(rest, `"`)
	var known []string
	for _, c := range parent.Commands() {
		known = append(known, c.Name())
	}
	return fmt.Errorf("%w%s", err, didYouMean(word, known))
}

// newRoot builds the whole command tree. *reached turns true when the command line was in order
// and a command begins: errors before that are usage errors.
func newRoot(reached *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "protocolq",
		Short: "Ask whether an account has signed, once per question, over NATS",
		Long: `protocolq asks the payment gateway's query_customer_protocol: has this account signed the
agreement for automatic debit and refund? Askers ask over NATS; equal questions cost one call.

Exit codes: 0 signed, accepted or done · 3 not signed or abnormal · 4 refused · 5 unknown
            6 no answer in time · 2 bad settings or usage · 1 anything else`,
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { *reached = true },
		// Cobra's own take four lines; see suggesting.
		DisableSuggestions: true,
	}
	root.AddGroup(
		&cobra.Group{ID: "ask", Title: "Ask:"},
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "look", Title: "Find faults, without a queue:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("ask", newQuery(), newSubmit(), newBench())
	add("run", newDemo(), newDev(), newWorker(), newRecorder(), newProvision(), newDead(), newPartner(), newLog(), newSimulator())
	add("look", newCall(), newForm(), newSign(), newVerify())
	root.AddCommand(newVersion())
	root.CompletionOptions.HiddenDefaultCmd = false
	return root
}
