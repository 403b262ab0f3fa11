// protocolq provision: makes the streams and consumers of a fleet, and reports what differs.

package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/provision"
)

type provisionFlags struct {
	replicas int
	ackWait  time.Duration
	journal  int64
	update   bool
	less     bool
	wait     time.Duration
	readers  provision.Readers
	out      *cli.Output
}

// Provision makes the streams of a fleet.
func Provision() *cobra.Command {
	cfg, f := &settings.Config{}, &provisionFlags{}
	set := settings.New(cfg, "nats", "nats-creds", "inbox-prefix", "prefix")
	c := &cobra.Command{
		Use:   "provision",
		Short: "Make the streams that a fleet needs",
		Long: `Makes the streams and consumers of a fleet, as a user with that right. Workers do not need it. Running
it again changes nothing; a stream that differs from its declaration is reported and left as it is,
unless --update is given. What no flag says is not changed, and no stream gets fewer copies, fewer bytes
or less time unless --allow-less is given. Another stream that would answer queries instead of the
workers is reported by name.

Exit codes: 0 all is as declared · 1 something differs · 6 no NATS server`,
		Example: `  protocolq provision --nats nats://10.0.0.5:4222 --replicas 3`,
		Args:    cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	fs := c.Flags()
	fs.IntVar(&f.replicas, "replicas", 0,
		"copies of each stream: 1 on a single server, 3 in a cluster (default: unchanged, or 1)")
	fs.DurationVar(&f.ackWait, "ack-wait", 12*time.Second,
		"how long a worker may be silent about a submitted query before another gets it")
	fs.Int64Var(&f.journal, "journal-bytes", 0,
		"size of the workers' log: 64 MiB, and twice what waits and is remembered (default: unchanged, or 1 GiB)")
	fs.StringArrayVar(&f.readers.Askers, "asker", nil,
		"make the consumer for this asker's durable replies (again for more)")
	fs.StringArrayVar(&f.readers.Listeners, "listener", nil,
		"make the consumer for this reader of events (again for more)")
	fs.StringArrayVar(&f.readers.HTTP, "http", nil,
		"make what the HTTP door needs for this asker (again for more)")
	fs.StringArrayVar(&f.readers.Partners, "partner", nil,
		"partner whose events to read (again for more; default: all)")
	fs.BoolVar(&f.readers.Events, "events", false, "askers also read events")
	fs.BoolVar(&f.update, "update", false, "change what differs, where the server allows it")
	fs.BoolVar(&f.less, "allow-less", false,
		"with --update, also reduce copies, bytes and age of streams: what is too much is deleted at once")
	fs.DurationVar(&f.wait, "wait", 2*time.Minute, "how long to wait for new copies to be up to date; 0s: not at all")
	f.out = cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), func() error { return f.check(c.Flags()) }); err != nil {
			return err
		}
		return runProvision(c, cfg, f)
	}
	return c
}

// leastJournal is what the log takes before it is purged for the first time, and as much again.
const leastJournal = 128 << 20

func (f *provisionFlags) check(given *pflag.FlagSet) error {
	switch {
	case given.Changed("replicas") && (f.replicas < 1 || f.replicas > 5):
		return cli.Usage("--replicas must be from 1 to 5, not %d", f.replicas)
	case f.ackWait < time.Second:
		return cli.Usage("--ack-wait must be at least 1s, not %s", cli.Short(f.ackWait))
	case given.Changed("journal-bytes") && f.journal < leastJournal:
		return cli.Usage("--journal-bytes must be at least %d, not %d", leastJournal, f.journal)
	}
	for _, name := range slices.Concat(f.readers.Askers, f.readers.HTTP, f.readers.Listeners, f.readers.Partners) {
		if !messages.IsToken(name) {
			return cli.Usage("--asker, --http, --listener and --partner must be of letters, digits, - and _, not %q",
				name)
		}
	}
	for flag, names := range map[string][]string{"--asker": f.readers.Askers, "--http": f.readers.HTTP,
		"--listener": f.readers.Listeners} {
		if i := slices.IndexFunc(names, messages.IsFleets); i >= 0 {
			return cli.Usage("%s %s: that name is the fleet's own; give another", flag, names[i])
		}
	}
	return nil
}

func runProvision(c *cobra.Command, cfg *settings.Config, f *provisionFlags) error {
	names, err := messages.NewNames(cfg.Prefix)
	cli.Must(err) // load has checked it
	nc, err := natsconn.DialAs(cfg, "provision", messages.ProvisionerInbox)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := natsconn.JetStream(nc, cfg)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	ctx, stop := natsconn.WhileAllowed(c.Context(), nc)
	defer stop()
	o := provision.Options{Names: names, Replicas: f.replicas, AckWait: f.ackWait, JournalBytes: f.journal,
		Update: f.update, Less: f.less, Readers: f.readers}
	within, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	report, err := provision.Apply(within, js, o)
	if terr := tellProvisioned(c.OutOrStdout(), *f.out, report); terr != nil {
		return terr
	}
	if err == nil && report.Grown() && f.wait > 0 {
		err = awaitCopies(ctx, js, o, f.wait)
	}
	if known := natsconn.Forbidden(nc, err); known != nil {
		return known
	}
	if err != nil {
		return &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("provision: %w", err), Hint: provisionHint(err)}
	}
	if report.Differs() {
		return &cli.Error{Code: cli.ExitOther, Err: errors.New("something differs from its declaration"),
			Hint: differsHint(report, f)}
	}
	return nil
}

// awaitCopies waits until the new copies of streams are up to date.
func awaitCopies(ctx context.Context, js jetstream.JetStream, o provision.Options, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return provision.Await(ctx, js, o)
}

// differsHint says what to do about what differs.
func differsHint(r provision.Report, f *provisionFlags) string {
	is := func(a provision.Action) func(provision.Item) bool {
		return func(i provision.Item) bool { return i.Action == a }
	}
	foreign, differs := slices.ContainsFunc(r.Items, is(provision.Foreign)), slices.ContainsFunc(r.Items,
		is(provision.Differs))
	anew := slices.IndexFunc(r.Items, is(provision.Anew))
	switch {
	case foreign:
		return "a stream of somebody else answers queries in the workers' place: take those subjects from it"
	case anew >= 0 && (f.update || !differs):
		return anewHint(r.Items[anew].Name)
	case !f.update:
		return "--update changes it where the server allows it"
	case !f.less:
		return "--allow-less also takes copies, bytes, messages and time away; what a subject may hold becomes less " +
			"without it once no subject has more than half of that"
	}
	return "the server does not keep what it was given: is it an older version?"
}

// anewHint says how to make a stream again without losing its messages: new ones wait in the log or
// with their sender meanwhile.
func anewHint(stream string) string {
	return fmt.Sprintf("no server changes that in a stream, so that it stays as it is: 'nats stream edit %[1]s "+
		"--subjects unused.%[1]s' keeps out what is new, "+
		"which waits; once what lies there is read, 'nats stream rm %[1]s', and provision again; see "+
		"deploy/nats/README.md", stream)
}

// provisionHint says what to do about an error.
func provisionHint(err error) string {
	switch {
	case errors.Is(err, provision.ErrWaiting):
		return "stop the askers and let the old workers answer what waits ('protocolq partner resume' lets what " +
			"waits for a halted partner go on), stop them, then do it again"
	case errors.Is(err, provision.ErrTakeOver):
		return "--update takes them over, from when on the old workers get no submitted queries; nothing is deleted"
	case errors.Is(err, provision.ErrNoRoom):
		return "give JetStream more room (max_file_store, or the account's max_file), or the log less: --journal-bytes"
	case errors.Is(err, provision.ErrOtherPrefix):
		return "give this fleet a --prefix that differs from the other's in more than capitals, dots and _; " +
			"nothing was made"
	case errors.Is(err, provision.ErrOldServer):
		return "update nats-server; nothing was made"
	case errors.Is(err, provision.ErrSmallServer):
		return "raise max_payload of the server, the account or the user; nothing was made"
	case errors.Is(err, provision.ErrReadTwice):
		return "each durable reply is for one reader: 'nats consumer report' shows the other consumer, 'nats " +
			"consumer rm' removes it; what it has not acknowledged stays"
	case errors.Is(err, provision.ErrLate):
		return "they go on by themselves: look again by 'nats stream report', or --wait longer"
	}
	return "does the server run JetStream? What it cannot change in a stream needs that stream made anew"
}

func tellProvisioned(w io.Writer, out cli.Output, r provision.Report) error {
	if out == cli.JSON {
		return cli.PrintJSON(w, r.Items)
	}
	t := cli.NewTable(w)
	for _, i := range r.Items {
		t.Row(i.Name, i.Action)
		for _, d := range i.Differences {
			change := d.Have + " -> " + d.Declared
			if d.Changed {
				change += ", changed"
			}
			t.Row("  "+d.Setting, change)
		}
		if i.Remove != "" {
			t.Row("  remove it by", i.Remove)
		}
	}
	return t.Flush()
}
