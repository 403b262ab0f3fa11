// protocolq console: the page in the browser.

// Package console is the page in the browser: agents look up an agreement, operators see the fleet.
// Its parts are web (the server), access (who may do what), words (both languages), audit (who did
// what), and a package for each section of the page.
package console

import (
	"fmt"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/ops"
)

// Settings are the page's settings.
var Settings = []string{"nats", "nats-creds", "inbox-prefix", "prefix", "database", "log-hmac-key-file",
	"console-listen", "console-url", "console-users-file", "console-session-key-file", "console-audit-file",
	"console-partners", "console-webhook-file",
	"console-proxies", "console-proxy-header",
	"console-oidc-issuer", "console-oidc-client-id", "console-oidc-client-secret-file", "console-oidc-claim",
	"http-listen", "log-level", "log-format"}

// Command serves the page until a signal.
func Command() *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, Settings...)
	c := &cobra.Command{
		Use:   "console",
		Short: "Serve the page in the browser: look up an agreement",
		Long: `Serves the page where people look up an agreement, in Chinese and English, until a signal. It asks
over NATS like every other program. When it is ready, it prints its address, with -o json as one line
of JSON with "console". Without --console-users-file it is only for this machine, and every user is
an operator. With --console-webhook-file it tells a webhook that a watch has ended.`,
		Example: `  protocolq console
  protocolq console user add li --role agent --console-users-file users.yaml
  protocolq console --console-listen 0.0.0.0:8470 --console-users-file users.yaml --console-url https://protocolq.example.com`,
		Args: cli.NoArgs,
	}
	set.AddFlags(c.Flags())
	out := cli.AddOutput(c)
	c.AddCommand(userCommand())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.Load(c.Flags(), cfg.CheckConsole, func() error { return checkTold(cfg) }); err != nil {
			return err
		}
		log := cfg.Logger(c.ErrOrStderr())
		set.LogWarnings(log)
		l, err := ops.Listen(c.Context(), cfg.Console.Listen)
		if err != nil {
			return &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("console: %w", err),
				Hint: "does another process listen there? --console-listen"}
		}
		return Serve(c.Context(), cfg, log, l, func(address string) {
			if *out == cli.JSON {
				cli.Must(cli.PrintJSON(c.OutOrStdout(), map[string]string{"console": address}))
			} else {
				fmt.Fprintf(c.OutOrStdout(), "console    %s\n", address)
			}
			log.Info("console answers", "address", address, "users", cfg.Console.UsersFile != "")
		})
	}
	return c
}
