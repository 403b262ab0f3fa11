// protocolq http: runs the HTTP door until a signal, and makes its tokens and secrets.

package httpdoor

import (
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/webhook"
	"protocolq/worker/ops"
)

// Command runs the door.
func Command() *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, "nats", "nats-creds", "inbox-prefix", "prefix", "api-listen", "api-askers-file",
		"api-cert-file", "api-key-file",
		"grace", "http-listen", "log-level", "log-format")
	c := &cobra.Command{
		Use:   "http",
		Short: "Take queries over HTTP, for programs without NATS",
		Long: `Takes queries over HTTP until a signal and asks the workers in the name of the asker whose token a
request carries. --api-askers-file says who may ask, for which partners and how much; the document at
/v1/openapi.yaml describes the requests. Start as many doors as you like: they share only NATS.

At SIGTERM it takes nothing new; requests that wait for an answer may go on waiting for --grace.`,
		Example: `  protocolq http --api-askers-file askers.yaml
  protocolq http --api-listen 0.0.0.0:8443 --api-cert-file door.crt --api-key-file door.key --api-askers-file askers.yaml`,
		Args: cli.NoArgs,
	}
	set.AddFlags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		var askers []Asker
		readAll := func() (err error) {
			if cfg.APIAskersFile == "" {
				return &settings.Fault{Setting: "api-askers-file",
					Err: errors.New("is needed" + settings.HowToSay("api-askers-file"))}
			}
			if askers, err = ReadAskers(cfg.APIAskersFile); err != nil {
				return err
			}
			return checkSecrets(cfg, askers)
		}
		if err := set.Load(c.Flags(), readAll); err != nil {
			return err
		}
		log := cfg.Logger(c.ErrOrStderr())
		set.LogWarnings(log)
		if address, err := ops.Address(cfg.APIListen); err == nil && cfg.APICertFile == "" && !local(address) {
			log.Warn("tokens come in clear", "hint",
				"set api-cert-file and api-key-file, or let a proxy on this machine speak TLS")
		}
		return run(c.Context(), cfg, askers, log, nil)
	}
	c.AddCommand(tokenCommand(), secretCommand())
	return c
}

// checkSecrets reads the webhooks' secrets, so that a fault in one is found at the start.
func checkSecrets(cfg *settings.Config, askers []Asker) error {
	var faults []error
	for _, a := range askers {
		if a.Webhook == nil {
			continue
		}
		source := cfg.SecretFile(a.Webhook.SecretFile)
		err := source.Err
		if err == nil {
			_, err = webhook.ParseSecrets(source.Material)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("asker %q: secret_file %s: %w", a.Name, a.Webhook.SecretFile, err))
		}
	}
	return errors.Join(faults...)
}

// secretCommand makes a webhook's secret.
func secretCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "secret",
		Short: "Make a secret that signs the deliveries of a webhook",
		Long: `Makes a secret. Put it into a file that only the door can read, name the file as secret_file in the
askers' file, and give the secret to the webhook's operator safely: it proves that the door sent a delivery.`,
		Example: `  (umask 077; protocolq http secret >shop.secret)`,
		Args:    cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), webhook.NewSecret())
			return err
		},
	}
}

// local reports whether an address can be reached only from this machine.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// tokenCommand makes a token.
func tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make a token, and its hash for the askers' file",
		Long: `Makes a token. It is printed once and stored nowhere: give it to the asker safely, and put its hash
into the asker's "tokens" in the askers' file.`,
		Args: cli.NoArgs,
	}
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		token := newToken()
		made := struct {
			Token string `json:"token"`
			Hash  string `json:"hash"`
		}{token, hashOf(token).String()}
		if *out == cli.JSON {
			return cli.PrintJSON(c.OutOrStdout(), made)
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "token  %s\nhash   %s\n", made.Token, made.Hash)
		return err
	}
	return c
}
