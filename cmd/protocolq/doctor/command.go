// protocolq doctor: the command, and the order in which it looks.

package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/httpdoor"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
)

// What it checks for.
const (
	forWorker   = "worker"
	forRecorder = "recorder"
	forHTTP     = "http"
	forConsole  = "console"
)

// roles are all of these.
var roles = []string{forWorker, forRecorder, forHTTP, forConsole}

// Options are what the checks work with.
type Options struct {
	Config   *settings.Config
	Role     string
	Partners []gateway.Partner
	Askers   []httpdoor.Asker // of the HTTP door, where the settings name their file
	Dev      bool             // it checks a 'protocolq dev', whose workers have what they need
	Monitors []string         // URLs of the NATS servers' monitoring ports
	Live     bool
	Email    string // of the live call
	account  string
}

// Account is the account of a partner's live call: the partner's own if none was given.
func (o *Options) Account(partner string) string {
	if o.Email == "" && o.account == "" {
		return partner
	}
	return o.account
}

// Command is protocolq doctor.
func Command() *cobra.Command {
	o := &Options{Config: &settings.Config{}}
	set := settings.New(o.Config)
	c := &cobra.Command{
		Use:   "doctor [--config F]",
		Short: "Find what is wrong around a worker, a recorder, an HTTP door or a console, and say what to do",
		Long: `Checks everything that a worker depends on (with --for recorder, http or console: a recorder, an HTTP door,
the page in the browser), with the settings that it would start with: key files and their modes, NATS
(reached, version, streams as declared, foreign streams, rights too few and too many, clocks), the query
log's database, and the way to the gateway; for a console also its users, its audit and its address. With
alert-webhook-file it also checks what alerts need, with api-askers-file the streams of the HTTP door.
For 'protocolq dev' it checks what commands need. If all is well it prints nothing and exits 0, otherwise
it prints each fault with its cure and exits 1. It changes nothing; --live makes one real call of the
gateway for each partner.

--quick asks the process on this machine, at its http-listen address, whether it is ready, as a
container's health probe.`,
		Example: `  protocolq doctor --config /etc/protocolq/worker.yaml
  protocolq doctor --for recorder --database postgres://recorder@db/protocolq -v
  protocolq doctor --quick --http-listen :8080`,
		Args: cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	fs := c.Flags()
	fs.StringVar(&o.Role, "for", forWorker, "worker, recorder, http or console: what the settings and rights are for")
	fs.StringSliceVar(&o.Monitors, "nats-monitor", nil,
		"monitoring ports of the NATS servers, such as http://nats1:8222")
	fs.BoolVar(&o.Live, "live", false, "make one real call of the gateway for each partner")
	fs.StringVar(&o.Email, "email", "", "e-mail for the live call (default: the partner's own account)")
	fs.StringVar(&o.account, "account", "", "of the live call")
	fast := fs.Bool("quick", false, "ask this machine's own /readyz, and nothing else")
	verbose := fs.BoolP("verbose", "v", false, "also print what is well and what could not be checked")
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !slices.Contains(roles, o.Role) {
			return cli.Usage("--for: must be worker, recorder, http or console, not %q", o.Role)
		}
		found := load(c, set, o)
		if *fast {
			return quick(c.Context(), o.Config.HTTPListen)
		}
		r := newReport(o.Role, append(found, examine(c.Context(), o)...))
		return tell(c, r, *out, *verbose)
	}
	return c
}

func tell(c *cobra.Command, r Report, out cli.Output, verbose bool) error {
	var err error
	if out == cli.JSON {
		err = cli.PrintJSON(c.OutOrStdout(), r)
	} else {
		err = r.print(c.OutOrStdout(), verbose)
	}
	if err == nil && !r.OK {
		err = cli.Exit(cli.ExitOther)
	}
	return err
}

// load reads the settings and the keys that they name. A key that cannot verify its own signature
// is refused when it is read.
func load(c *cobra.Command, set *settings.Set, o *Options) (list []Check) {
	more := []func() error{o.readAskers}
	switch o.Role {
	case forWorker:
		more = append(more, func() (err error) {
			if o.Dev = isDev(o.Config); o.Dev {
				return nil
			}
			o.Partners, err = o.Config.LoadPartners()
			return errors.Join(o.Config.Conflicts(), o.Config.CheckGateway(), err)
		})
	case forRecorder:
		more = append(more, o.Config.NeedDatabase, func() error { _, err := logdb.Targets(o.Config); return err })
	case forConsole:
		more = append(more, o.readConsole)
	}
	err := set.Load(c.Flags(), more...)
	for _, text := range settings.FaultsIn(err) {
		list = append(list,
			fault("settings", text, "correct the setting; protocolq config show says which value counts"))
	}
	if len(list) == 0 {
		list = append(list, well("settings", "no fault"))
		switch {
		case o.Dev:
			list = append(list, skipped("keys", "protocolq dev has the practice partners'"))
		case o.Role == forWorker:
			list = append(list, well("keys", "each of %d partners' keys signs and verifies", len(o.Partners)))
		}
	}
	return append(list, checkFiles(set.Warnings()))
}

// readAskers reads the askers of the HTTP door, which needs them.
func (o *Options) readAskers() (err error) {
	switch file := o.Config.APIAskersFile; {
	case file != "":
		o.Askers, err = httpdoor.ReadAskers(file)
	case o.Role == forHTTP:
		err = &settings.Fault{Setting: "api-askers-file",
			Err: errors.New("is needed" + settings.HowToSay("api-askers-file"))}
	}
	return err
}

// isDev reports whether the settings name no partner, which a worker always needs, and NATS is that
// of 'protocolq dev' on this machine.
func isDev(c *settings.Config) bool {
	if c.Partner != "" || c.KeyFile != "" || len(c.Partners) > 0 || c.AlipayPublicKeyFile != "" || !onlyHere(c.NATS) {
		return false
	}
	nc, err := natsconn.Connect(natsconn.For(c, "doctor", ""))
	if err != nil {
		return false
	}
	defer nc.Close()
	return nc.ConnectedServerName() == localstack.ServerName
}

// checkFiles checks for key files that others can read or change.
func checkFiles(warnings []string) Check {
	if len(warnings) == 0 {
		return well("files", "no key file is open to others")
	}
	texts, cures := slices.Clone(warnings), []string{}
	for i, text := range texts {
		if what, modes, ok := strings.Cut(text, ": chmod "); ok {
			texts[i], cures = what, append(cures, "chmod "+modes)
		}
	}
	return fault("files", strings.Join(texts, "; "), strings.Join(cures, " && "))
}

// examine checks everything except this machine's files.
func examine(ctx context.Context, o *Options) []Check {
	list := append(checkNATS(ctx, o), checkSync(ctx, o.Monitors))
	if o.Role == forRecorder || o.Role == forWorker && o.Config.Database != "" {
		list = append(list, checkDatabase(ctx, o)...)
	}
	if o.Role == forConsole {
		list = append(list, checkConsole(ctx, o)...)
	}
	if o.Role != forWorker {
		return list
	}
	if o.Dev {
		return append(list, skipped("gateway", "protocolq dev has its own practice gateway"))
	}
	list = append(list, checkGateway(ctx, o)...)
	switch {
	case !o.Live:
		list = append(list, skipped("live", "no call is made without --live"))
	case len(o.Partners) == 0:
		list = append(list, skipped("live", "no partner's key could be read"))
	default:
		list = append(list, checkLive(ctx, o)...)
	}
	return list
}
