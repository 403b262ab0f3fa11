// What a command prints: text for a person or JSON for a program, by -o.

package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Output is the value of -o.
type Output string

// The values of -o.
const (
	Text Output = "text"
	JSON Output = "json"
)

// Set makes Output a flag, with String and Type.
func (o *Output) Set(s string) error {
	switch Output(s) {
	case Text, JSON:
		*o = Output(s)
		return nil
	}
	return fmt.Errorf("must be text or json")
}
func (o *Output) String() string { return string(*o) }

// Type names the value in the help.
func (o *Output) Type() string { return "text|json" }

// AddOutput gives a command its -o.
func AddOutput(c *cobra.Command) *Output {
	o := Text
	c.Flags().VarP(&o, "output", "o", "what to print")
	Must(c.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	return &o
}

// Must stops on a mistake in our own wiring, which no user can cause.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// PrintJSON writes v as one line, with Chinese and <, >, & as they are.
func PrintJSON(w io.Writer, v any) error {
	e := json.NewEncoder(safeJSON{w})
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
