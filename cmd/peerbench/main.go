// Command peerbench compares protocolq with smaller workers that do parts of the same job, on one
// machine, in the same rounds.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `peerbench measures protocolq beside its alternatives. Run it in its own folder.

  peerbench cell   [flags]   one contestant under one load: one line of JSON
  peerbench rounds [flags]   many of them, round by round, into a file of such lines
  peerbench report [flags]   that file as markdown: the bars, then every cell's medians and ratios

Each prints its flags with -h.
`

func main() {
	commands := map[string]func(context.Context, []string) error{
		"cell": cellCommand, "rounds": roundsCommand, "report": reportCommand}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "peerbench:", err)
		os.Exit(1)
	}
}
