// protocolq config: checks and shows the settings before anything starts with them.

// Package config has the commands that check, show and describe settings.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
)

// Command is protocolq config.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check, show or describe the settings",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(check(), show(), schema())
	return c
}

// roles are the programs that settings can be checked for.
var roles = []string{"worker", "recorder"}

// loaded are settings with the flags of a command that looks at them.
type loaded struct {
	cfg  *settings.Config
	set  *settings.Set
	role *string
}

func load(c *cobra.Command) *loaded {
	l := &loaded{cfg: &settings.Config{}}
	l.set = settings.New(l.cfg)
	l.set.AddFlags(c.Flags())
	l.role = c.Flags().String("for", "worker", "worker or recorder: which one the settings are for")
	cli.Must(c.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp)))
	return l
}

// read finds every fault that the role would find at its start, including those of key files.
func (l *loaded) read(c *cobra.Command) error {
	if !slices.Contains(roles, *l.role) {
		return cli.Usage("--for: must be worker or recorder, not %q", *l.role)
	}
	more := []func() error{l.cfg.Conflicts, l.cfg.CheckGateway,
		func() error { _, err := l.cfg.LoadPartners(); return err }}
	if *l.role == "recorder" {
		more = []func() error{l.cfg.NeedDatabase}
	}
	return l.set.Load(c.Flags(), more...)
}

// verdict is what config check says in JSON.
type verdict struct {
	OK     bool     `json:"ok"`
	Faults []string `json:"faults"`
}

func check() *cobra.Command {
	c := &cobra.Command{
		Use:   "check [--config F]",
		Short: "Find every fault in the settings, and exit 2 where there is one",
		Long: `Reads the settings as a worker, or with --for recorder a recorder, would: the file, the variables
and the flags, and the key files that they name. All faults are shown at once, each with the file
and line, variable or flag that it came from; for a mistyped key it names the nearest one. It connects
to nothing; protocolq doctor does. Exit 0 without a fault, 2 with one.`,
		Example: `  protocolq config check --config /etc/protocolq/worker.yaml`,
		Args:    cobra.NoArgs,
	}
	l := load(c)
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		err := l.read(c)
		if *out == cli.JSON {
			list := settings.FaultsIn(err)
			if err := cli.PrintJSON(c.OutOrStdout(), verdict{err == nil, append([]string{}, list...)}); err != nil {
				return err
			}
			return codeOf(err)
		}
		if err != nil {
			return err
		}
		l.set.LogWarnings(l.cfg.Logger(c.ErrOrStderr()))
		_, err = fmt.Fprintf(c.OutOrStdout(), "no fault: a %s can start with these settings\n", *l.role)
		return err
	}
	return c
}

// codeOf is the exit code of an error that is shown already.
func codeOf(err error) error {
	if err == nil {
		return nil
	}
	if end, ok := errors.AsType[*cli.Error](err); ok {
		return cli.Exit(end.Code)
	}
	return cli.Exit(cli.ExitOther)
}

func show() *cobra.Command {
	c := &cobra.Command{
		Use:   "show [--config F]",
		Short: "Show every setting as it counts, and where it came from",
		Long: `Shows each setting's value, and where it came from: a flag, a variable, a line of the file or of a
context, or its default. A key is never shown, only the path of its file. Exit 2 if there is a fault;
the settings are shown nevertheless.`,
		Args: cobra.NoArgs,
	}
	l := load(c)
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		fault := l.read(c)
		if len(l.set.Values()) == 0 {
			return fault
		}
		if err := printValues(c, l.set.Values(), *out); err != nil {
			return err
		}
		return fault
	}
	return c
}

func printValues(c *cobra.Command, list []settings.Value, out cli.Output) error {
	if out == cli.JSON {
		return cli.PrintJSON(c.OutOrStdout(), list)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, v := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Setting, cli.Dash(cli.Printable(v.Value)), cli.Printable(v.From))
	}
	return w.Flush()
}

func schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a settings file, for editors",
		Long: `Prints the JSON Schema of a settings file. An editor that knows YAML schemas marks mistyped keys and
wrong values as they are typed. It cannot check settings against each other: config check does.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			return e.Encode(settings.Schema())
		},
	}
}
