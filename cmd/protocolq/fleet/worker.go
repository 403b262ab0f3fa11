// protocolq worker: one member of the fleet, until a signal.

package fleet

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/serve"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
)

// Worker answers queries, as one of a fleet.
func Worker() *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, workerSettings()...)
	c := &cobra.Command{
		Use:   "worker",
		Short: "Answer queries, as one of a fleet",
		Long: `Answers queries until a signal. Start as many workers as you like: equal questions still cost one
call. At SIGTERM a worker takes nothing new, finishes what is in flight within --grace and leaves the
rest to the other workers; a second signal ends it at once.

Every setting has a flag, a variable and a key in the settings file (--config); a flag
wins over a variable, a variable over the file. A key is only ever given as the path of its file.`,
		Example: `  protocolq worker --nats nats://10.0.0.5:4222 --partner 2088… --key-file /etc/protocolq/key`,
		Args:    cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		var partners []gateway.Partner
		readKeys := func() (err error) { partners, err = cfg.LoadPartners(); return err }
		if err := set.Load(c.Flags(), cfg.Conflicts, cfg.CheckGateway, readKeys); err != nil {
			return err
		}
		log := cfg.Logger(c.ErrOrStderr())
		set.LogWarnings(log)
		if cfg.NATSReplyCreds == "" && cfg.NATSCreds != "" {
			log.Warn("replies leave with the rights of the main connection: only our own check keeps them from its "+
				"subjects",
				"hint", "set nats-reply-creds to a user that may take queries, and publish replies only")
		}
		hasher, err := cfg.Hasher()
		cli.Must(err) // load has read it
		if hasher == nil {
			log.Warn("no query log is written", "hint",
				"set log-hmac-key-file, the same in the whole fleet, and run a recorder")
		}
		serve.CollectLess()
		go serve.GiveBack(c.Context())
		return serve.Worker(c.Context(), cfg, partners, hasher, log, nil)
	}
	return c
}

// workerSettings are all settings except those of the recorder and the HTTP door.
func workerSettings() []string {
	return slices.DeleteFunc(settings.Names(), func(name string) bool {
		return slices.Contains([]string{"database", "log-retention", "alert-webhook-file"}, name) ||
			strings.HasPrefix(name, "api-")
	})
}
