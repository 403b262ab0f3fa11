// What a command prints: text for a person or JSON for a program, by -o.
package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// output is the value of -o.
type output string

const (
	asText output = "text"
	asJSON output = "json"
)

// Set, String and Type make output a flag.
func (o *output) Set(s string) error {
	switch output(s) {
	case asText, asJSON:
		*o = output(s)
		return nil
	}
	return fmt.Errorf("must be text or json")
}
func (o *output) String() string { return string(*o) }

// Type names the value in the help.
func (o *output) Type() string { return "text|json" }

// addOutput gives a command its -o.
func addOutput(c *cobra.Command) *output {
	o := asText
	c.Flags().VarP(&o, "output", "o", "what to print")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	return &o
}

// must stops on a mistake in our own wiring, which no user can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// printJSON writes v as one line, with Chinese and <, >, & as they are.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(safeJSON{w})
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
