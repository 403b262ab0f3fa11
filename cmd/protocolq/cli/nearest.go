// What a mistyped command, flag or key most likely means.

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/messages"
)

// DidYouMean gives `; did you mean "x"?` for the known word nearest to word, or "" when none is
// near.
func DidYouMean(word string, known []string) string {
	if near := messages.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// Suggesting adds to the error of a mistyped command or flag the most likely one. c is the command
// that did not understand it.
func Suggesting(c *cobra.Command, err error) error {
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, `unknown command "`); ok {
		var known []string
		for _, below := range c.Commands() {
			known = append(known, below.Name())
		}
		word, _, _ := strings.Cut(rest, `"`)
		return fmt.Errorf("%w%s", err, DidYouMean(word, known))
	}
	if word, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		var known []string
		c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		return fmt.Errorf("%w%s", err, DidYouMean("--"+word, known))
	}
	return err
}
