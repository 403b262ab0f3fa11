// protocolq context: settings under names, for those who work with several systems.

// Package contexts is the command that keeps settings under names.
package contexts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
)

// Command is protocolq context.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "context",
		Short: "Keep settings under names: add, select, list, show, remove",
		Long: `Keeps settings under a name, each in a settings file that only this user can read, beside those of
other programs ($XDG_CONFIG_HOME/protocolq or ~/.config/protocolq). The first of these is used:

  --context NAME         '' for none
  PROTOCOLQ_CONTEXT
  the selected one       unless a settings file is given
  a running protocolq dev, which keeps a context named dev while it runs: if neither a settings file nor
                         a setting is given, by a flag or any PROTOCOLQ_ variable. Only commands
                         that a person types look for it, and say so; a program that serves does not

Each setting then comes from the first of: its flag, its variable, the settings file, the context,
the context of the nats command line that nats-context names, its default. config show says from
where.`,
		Example: `  protocolq context add shop --nats nats://nats:4222 --nats-creds shop.creds --partner 2088…
  protocolq context select shop
  protocolq query --context test --email signed@example.com`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(add(), choose(), list(), show(), remove())
	return c
}

// pathOf is the file of a context, which need not exist.
func pathOf(name string) (string, error) {
	if err := settings.CheckContextName(name); err != nil {
		return "", cli.Usage("context %q: the name %w", name, err)
	}
	return settings.ContextPath(name)
}

// there is the file of an existing context.
func there(name string) (string, error) {
	path, err := pathOf(name)
	if err != nil {
		return "", err
	}
	known, err := settings.ContextNames()
	if err == nil && !slices.Contains(known, name) {
		err = &cli.Error{Code: cli.ExitUsage, Err: fmt.Errorf("there is no context %s%s", name,
			cli.DidYouMean(name, known)), Hint: "'protocolq context list' shows all contexts"}
	}
	return path, err
}

func add() *cobra.Command {
	set := settings.New(&settings.Config{})
	c := &cobra.Command{
		Use:   "add NAME --SETTING VALUE…",
		Short: "Keep settings under a name",
		Long: `Keeps the given settings under a name. Paths of files become absolute; of a secret only the path of its
file is kept. You may edit the context's file: it may hold everything that a settings file may.`,
		Example: `  protocolq context add shop --nats nats://nats:4222 --nats-creds shop.creds`,
		Args:    cobra.ExactArgs(1),
	}
	set.AddValues(c.Flags())
	replace := c.Flags().Bool("replace", false, "replace the context if there is one")
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := pathOf(args[0])
		if err != nil {
			return err
		}
		data, err := set.Said(c.Flags())
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err == nil && !*replace {
			return cli.Usage("there is a context %s: --replace writes it anew, or edit %s", args[0], path)
		}
		if err := write(path, data); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "kept in %s\n", cli.Printable(path))
		return err
	}
	return c
}

// write puts a file that only this user can read in place when it is whole.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), ".part-*") // 0600
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	err = errors.Join(err, part.Sync(), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

func choose() *cobra.Command {
	c := &cobra.Command{
		Use:   "select NAME",
		Short: "Use this context when no other is named",
		Args:  cobra.MaximumNArgs(1), ValidArgsFunction: settings.CompleteContext,
	}
	none := c.Flags().Bool("none", false, "select none")
	c.RunE = func(_ *cobra.Command, args []string) error {
		selected, err := settings.SelectedPath()
		switch {
		case err != nil:
			return err
		case *none == (len(args) == 1):
			return cli.Usage("name one context, or --none")
		case *none:
			return missing(os.Remove(selected))
		}
		if _, err := there(args[0]); err != nil {
			return err
		}
		return write(selected, []byte(args[0]+"\n"))
	}
	return c
}

// missing is err, unless it says that there was nothing.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// listed is one context.
type listed struct {
	Name     string `json:"name"`
	Selected bool   `json:"selected"`
	NATS     string `json:"nats"`
	Partner  string `json:"partner"`
}

func list() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the contexts", Args: cobra.NoArgs}
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		known, err := settings.ContextNames()
		if err != nil {
			return err
		}
		selected, err := settings.SelectedContext()
		if err != nil {
			return err
		}
		all := make([]listed, 0, len(known))
		for _, name := range known {
			l := listed{Name: name, Selected: name == selected}
			values, err := settings.ContextValues(name)
			if err != nil {
				cli.PrintError(c.ErrOrStderr(), fmt.Errorf("context %s: %w", name, err))
			}
			for _, v := range values {
				switch v.Setting {
				case "nats", "nats-context":
					l.NATS = v.Value
				case "partner":
					l.Partner = v.Value
				}
			}
			all = append(all, l)
		}
		return printList(c, all, *out)
	}
	return c
}

func printList(c *cobra.Command, all []listed, out cli.Output) error {
	if out == cli.JSON {
		return cli.PrintJSON(c.OutOrStdout(), all)
	}
	if len(all) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "there is no context: 'protocolq context add' makes one")
		return nil
	}
	t := cli.NewTable(c.OutOrStdout(), "selected", "name", "nats", "partner").Whole("name")
	for _, l := range all {
		t.Row(map[bool]string{true: "*", false: ""}[l.Selected], l.Name, cli.Dash(l.NATS), cli.Dash(l.Partner))
	}
	return t.Flush()
}

func show() *cobra.Command {
	c := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show a context's settings; without a name, those of the selected one",
		Args:  cobra.MaximumNArgs(1), ValidArgsFunction: settings.CompleteContext,
	}
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		name, err := settings.SelectedContext()
		if len(args) == 1 {
			name, err = args[0], nil
		}
		if err != nil {
			return err
		}
		if name == "" {
			return cli.Usage("no context is selected: name one")
		}
		if _, err := there(name); err != nil {
			return err
		}
		values, err := settings.ContextValues(name)
		if err != nil {
			return &cli.Error{Code: cli.ExitUsage, Err: err}
		}
		if *out == cli.JSON {
			return cli.PrintJSON(c.OutOrStdout(), values)
		}
		t := cli.NewTable(c.OutOrStdout())
		for _, v := range values {
			t.Row(v.Setting, cli.Dash(v.Value))
		}
		return t.Flush()
	}
	return c
}

func remove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a context; if it was selected, no context is selected afterwards",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: settings.CompleteContext,
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := there(args[0])
			if err != nil {
				return err
			}
			if selected, err := settings.SelectedContext(); err == nil && selected == args[0] {
				chosen, err := settings.SelectedPath()
				if err == nil {
					err = missing(os.Remove(chosen))
				}
				if err != nil {
					return err
				}
			}
			return os.Remove(path)
		},
	}
}
