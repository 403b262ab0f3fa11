// The root command: the list of everything protocolq can do, and how a command line becomes an exit
// code.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/ask"
	"protocolq/cmd/protocolq/bench"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/config"
	"protocolq/cmd/protocolq/contexts"
	"protocolq/cmd/protocolq/dead"
	"protocolq/cmd/protocolq/explain"
	"protocolq/cmd/protocolq/fleet"
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/watch"
	"protocolq/gateway/mapi"
	"protocolq/messages"
)

// run runs one command line and returns the exit code.
func run(args []string) int {
	ctx, stop := cli.UntilSignal(context.Background())
	defer stop()
	reached := false
	root := newRoot(&reached)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err != nil && !reached {
		err = cli.Suggesting(command, err)
	}
	return cli.Report(os.Stderr, err, reached, "see '"+command.CommandPath()+" --help'")
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
            6 no answer in time · 2 bad settings or usage · 130 stopped by ^C · 1 anything else`,
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { *reached = true },
		// Cobra's own suggestions take four lines; see cli.Suggesting.
		DisableSuggestions: true,
	}
	root.AddGroup(
		&cobra.Group{ID: "ask", Title: "Ask:"},
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "look", Title: "Set up, and find faults:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("ask", ask.Query(), ask.Submit(), bench.Command())
	add("run", fleet.Worker(), fleet.Provision(), dead.Command(), fleet.Partner(), fleet.Intake(), watch.Command())
	running, looking := full()
	add("run", running...)
	add("look", looking...)
	add("look", config.Command(), contexts.Command(), explain.Command(), ask.Call(), ask.Compare(), ask.Form(),
		ask.Sign(), ask.Verify())
	root.AddCommand(cli.VersionCommand())
	cli.AddVersion(root)
	settings.Complete(root, map[string][]string{"code": codes()})
	root.CompletionOptions.HiddenDefaultCmd = false
	return root
}

// codes are all codes that an answer can have, ours first.
func codes() []string {
	list := messages.Codes()
	for _, c := range mapi.Codes() {
		list = append(list, c.Name)
	}
	return list
}
