// protocolq recorder: writes the query log from its stream into a database, until a signal.

//go:build !slim

package fleet

import (
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/settings"
)

// Recorder writes the query log into a database.
func Recorder() *cobra.Command {
	cfg := &settings.Config{}
	set := settings.New(cfg, "nats", "nats-creds", "inbox-prefix", "prefix", "database", "log-retention",
		"alert-webhook-file", "console-url", "http-listen", "log-level", "log-format")
	c := &cobra.Command{
		Use:   "recorder --database URL",
		Short: "Write the query log into a database",
		Long: `Reads the workers' lines from their stream and writes them into SQLite or PostgreSQL, until a signal.
The first recorder that starts makes the tables or brings them up to date; several may run at once. A
line leaves the stream only after it is on the disk: while the database is unavailable, full or slow,
nothing is lost; the stream keeps the lines, and the recorder reports it.

Rows older than --log-retention are deleted a few at a time; in PostgreSQL whole months are dropped.
The password of PostgreSQL comes from PGPASSFILE or PGPASSWORD, never from the URL.

With --alert-webhook-file one of the recorders also checks the rules of deploy/prometheus/alerts.yaml
and pushes what they find to chat robots and webhooks.`,
		Example: `  protocolq recorder --database sqlite:///var/lib/protocolq/log.db
  PGPASSFILE=/etc/protocolq/pgpass protocolq recorder --database postgres://recorder@db1,db2/protocolq?target_session_attrs=read-write`,
		Args: cobra.NoArgs,
	}
	set.AddFlags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		targets := func() error { _, err := logdb.Targets(cfg); return err }
		if err := set.Load(c.Flags(), cfg.NeedDatabase, targets); err != nil {
			return err
		}
		log := cfg.Logger(c.ErrOrStderr())
		set.LogWarnings(log)
		return logdb.Recorder(c.Context(), cfg, log, nil)
	}
	return c
}
