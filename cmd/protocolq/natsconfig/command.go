// protocolq nats-config: writes the rights of a fleet's users for its NATS servers.

package natsconfig

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"protocolq/messages"
)

// Command makes the command.
func Command() *cobra.Command {
	o, dir := Options{}, ""
	c := &cobra.Command{
		Use:   "nats-config --partner ID --asker NAME…",
		Short: "Write the users of the NATS servers, each with the least rights",
		Long: `Writes users.conf, which a server's configuration includes: an account and a user for each part of a
fleet and for each program that asks or listens, with only the rights it needs. It also writes
keys.conf with the users' public keys, and the seed of each user into a file of its name (mode 0600),
if there is none yet: run it again to add an asker. The server's own parser checks what was written.

Exit codes: 0 written, and the server accepts it · 1 not · 2 bad usage`,
		Example: `  protocolq nats-config --partner 2088000000000001 --asker refunds --asker deduction --listener accounting`,
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.NoArgs(c, args); err != nil {
				return err
			}
			return o.Check()
		},
		RunE: func(c *cobra.Command, _ []string) error { return run(c.OutOrStdout(), o, dir) },
	}
	fs := c.Flags()
	fs.StringArrayVar(&o.Partners, "partner", nil,
		"partner that may be asked for; the first one uses the plain subjects (again for more)")
	fs.StringArrayVar(&o.Askers, "asker", nil, "name of a program that asks (again for more)")
	fs.StringArrayVar(&o.HTTP, "http", nil, "name of an asker of the HTTP door (again for more)")
	fs.StringArrayVar(&o.Listeners, "listener", nil, "name of a program that only reads events (again for more)")
	fs.BoolVar(&o.Events, "events", false, "askers also read events")
	fs.BoolVar(&o.Backup, "backup", false, "a user BACKUP, for 'nats stream backup' and 'nats stream restore'")
	fs.StringVar(&o.Prefix, "prefix", messages.DefaultPrefix, "first tokens of every subject, as the workers have it")
	fs.StringVar(&o.Account, "account", "PROTOCOLQ", "the account of the streams; the others' names begin with it")
	fs.StringVar(&dir, "out", ".", "folder to write to")
	_ = c.MarkFlagDirname("out")
	return c
}

func run(w io.Writer, o Options, dir string) error {
	c, err := New(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	made, err := c.Write(dir, o.commandLine())
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "USER\tINBOX PREFIX\tSEED\t")
	for _, u := range c.Users() {
		seed, note := u.Name+seedEnd, "kept"
		if slices.Contains(made, seed) {
			note = "new"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", u.Name, u.Inbox, seed, note)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	fmt.Fprintf(w, "\nwritten to %s: %s, %s\nconsumers: protocolq provision%s\n", dir, usersFile, keysFile,
		o.consumers())
	return nil
}

// commandLine writes the same files again.
func (o Options) commandLine() string {
	line := "protocolq nats-config" + o.consumers()
	if o.Backup {
		line += " --backup"
	}
	if o.Prefix != messages.DefaultPrefix {
		line += " --prefix " + o.Prefix
	}
	if o.Account != "PROTOCOLQ" {
		line += " --account " + o.Account
	}
	return line
}

// consumers are the flags that name the users, as provision needs them to make the consumers.
func (o Options) consumers() string {
	var flags strings.Builder
	for _, p := range o.Partners {
		flags.WriteString(" --partner " + p)
	}
	for _, name := range o.Askers {
		flags.WriteString(" --asker " + name)
	}
	for _, name := range o.HTTP {
		flags.WriteString(" --http " + name)
	}
	for _, name := range o.Listeners {
		flags.WriteString(" --listener " + name)
	}
	if o.Events {
		flags.WriteString(" --events")
	}
	return flags.String()
}
