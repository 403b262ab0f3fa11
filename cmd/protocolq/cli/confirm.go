// The confirmation of an action that cannot be undone.

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// YesFlag is the flag that answers Confirm.
const YesFlag = "yes"

// AddYes adds the flag to a command that calls Confirm. If it is given, no running dev is looked
// for.
func AddYes(c *cobra.Command, yes *bool) {
	c.Flags().BoolVar(yes, YesFlag, false,
		"do not ask for confirmation; needed without a terminal; a running dev is not looked for")
}

// Confirm asks the person at the terminal. Without a terminal, --yes is needed.
func Confirm(c *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return &Error{Code: ExitUsage, Err: fmt.Errorf("%s No terminal to ask: nothing was done", question),
			Hint: "--yes says that it is meant"}
	}
	return askYes(c.Context(), in, c.ErrOrStderr(), question)
}

func askYes(ctx context.Context, in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	said := make(chan string, 1)
	go func() { // a signal must not wait for a line; the program ends soon after
		line, _ := bufio.NewReader(in).ReadString('\n')
		said <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-said:
		if answer == "y" || answer == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return errors.New("nothing was done")
}
