// protocolq explain: what a code means, who must act, and whether asking again helps.

package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
)

// Command is protocolq explain.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain [CODE…]",
		Short: "Say what a code means and who must act, in English and Chinese",
		Long: `Says what each code means, what to do, who must do it, and whether asking again helps: the gateway's
codes, those of its client (GATEWAY_…) and the worker's own. Without a code it lists all. Exits 1 if a
code is in no table; the advice for such a code is general.`,
		Example: `  protocolq explain ILLEGAL_SIGN
  protocolq explain -o json`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return Codes(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	out := cli.AddOutput(c)
	language := c.Flags().String("lang", "both", "en, zh or both")
	cli.Must(c.RegisterFlagCompletionFunc("lang",
		cobra.FixedCompletions(Languages, cobra.ShellCompDirectiveNoFileComp)))
	c.RunE = func(c *cobra.Command, args []string) error {
		if !slices.Contains(Languages, *language) {
			return cli.Usage("--lang: must be en, zh or both, not %q", *language)
		}
		list := All()
		if len(args) > 0 {
			list = found(args)
		}
		for i := range list {
			if err := printEntry(c, &list[i], *out, *language, len(args) > 0); err != nil {
				return err
			}
		}
		return unknownCodes(list)
	}
	return c
}

func found(args []string) (list []Entry) {
	for _, code := range args {
		list = append(list, Find(strings.ToUpper(strings.TrimSpace(code))))
	}
	return list
}

func printEntry(c *cobra.Command, e *Entry, out cli.Output, language string, whole bool) error {
	w := c.OutOrStdout()
	if out == cli.JSON {
		return cli.PrintJSON(w, e)
	}
	shown := *e
	shown.Code = cli.Printable(e.Code)
	if whole {
		return shown.Print(w, language)
	}
	return shown.PrintLine(w, language)
}

// unknownCodes is the error that names the codes in no table, each with the nearest that is in one.
func unknownCodes(list []Entry) error {
	var lines []string
	for _, e := range list {
		if !e.Known {
			lines = append(lines, fmt.Sprintf("%s is in no table%s", e.Code, cli.DidYouMean(e.Code, Codes())))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}
