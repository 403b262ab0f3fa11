// protocolq recorder: brings the query log from the stream into a database, until a signal.
package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"

	"protocolq/messages"
	"protocolq/worker/querylog"
)

func newRecorder() *cobra.Command {
	cfg, rec := &Config{}, &recordConfig{}
	set := newSettings(append(cfg.table(), rec.settings()...), "nats", "nats-creds", "prefix", "database", "log-retention", "log-level", "log-format")
	c := &cobra.Command{
		Use:   "recorder --database URL",
		Short: "Write the query log into a database",
		Long: `Reads what the workers log from its stream and writes it into SQLite or PostgreSQL, until a signal.
The tables are made and brought up to date by the first that starts; several may run at once. A line is
taken out of the stream after it is on the disk: a database that is away, full or slow loses nothing,
the stream holds the lines and the recorder says so.

Rows older than --log-retention are deleted a few at a time; in PostgreSQL whole months are dropped.
The password of PostgreSQL comes from PGPASSFILE or PGPASSWORD, never from the URL.`,
		Example: `  protocolq recorder --database sqlite:///var/lib/protocolq/log.db
  PGPASSFILE=/etc/protocolq/pgpass protocolq recorder --database postgres://recorder@db1,db2/protocolq?target_session_attrs=read-write`,
		Args: cobra.NoArgs,
	}
	set.addFlags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := set.load(c.Flags(), rec.needDatabase); err != nil {
			return err
		}
		level, err := cfg.level()
		must(err)
		log := newLogger(c.ErrOrStderr(), level, cfg.LogFormat)
		set.logWarnings(log)
		return record(c.Context(), cfg, rec, log, nil)
	}
	return c
}

// record runs one recorder until ctx ends. ready, which may be nil, is called
// when the database is open and the stream is being read.
func record(ctx context.Context, cfg *Config, rec *recordConfig, log *slog.Logger, ready func()) error {
	names, err := messages.NewNames(cfg.Prefix)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	db, err := rec.awaitLog(ctx, log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to end before there was anything to do
		}
		return err
	}
	defer db.Close()
	nc, err := connectNATS(natsOptions{Servers: cfg.NATS, Creds: cfg.login(cfg.NATSCreds), Name: "protocolq recorder", Inbox: messages.WorkerInbox, Wait: true, Logger: log})
	if err != nil {
		return err
	}
	defer nc.Close()
	recorder, err := querylog.New(querylog.Options{NATS: nc, Names: names, Database: db, Logger: log, Ready: ready})
	if err != nil {
		return err
	}
	keeping, stop := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { db.Keep(keeping, rec.LogRetention, log) })
	err = recorder.Run(ctx)
	stop()
	keeper.Wait()
	return err
}
