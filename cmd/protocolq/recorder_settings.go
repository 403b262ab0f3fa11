// The settings of the query log: where it is, what its look-up ids are made with, how long it is
// kept.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// recordConfig is where the query log ends and how its rows are found again.
type recordConfig struct {
	Database       string
	LogHMACKeyFile string
	LogRetention   time.Duration

	sources keySources
}

// settings are the lines of the table that fill c.
func (c *recordConfig) settings() []setting {
	return c.sources.watched([]setting{
		checked(text(&c.Database, setting{name: "database", kind: "URL", usage: "the query log: sqlite:///path/log.db, or postgres://user@host/name with its password in PGPASSFILE"}), c.checkDatabase),
		checked(text(&c.LogHMACKeyFile, setting{name: "log-hmac-key-file", kind: kindFile, usage: "key of the query log's look-up ids, the same for a whole fleet"}), c.checkKey),
		span(&c.LogRetention, 0, 100*year, setting{name: "log-retention", fallback: "9600h", usage: "how long the query log is kept (400 days); 0 keeps all"}),
	})
}

func (c *recordConfig) checkDatabase() error {
	if c.Database == "" {
		return nil
	}
	return querylog.CheckURL(c.Database)
}

func (c *recordConfig) checkKey() error {
	_, err := c.hasher()
	return err
}

// needDatabase is for the commands that are nothing without one.
func (c *recordConfig) needDatabase() error {
	if c.Database == "" {
		return &settingError{Setting: "database", Err: errors.New("is needed" + howToSay("database"))}
	}
	return nil
}

// hasher is nil when no key file was named.
func (c *recordConfig) hasher() (*querylog.Hasher, error) {
	if c.LogHMACKeyFile == "" {
		return nil, nil
	}
	source := c.sources.get(c.LogHMACKeyFile, secretFile)
	if source.err != nil {
		return nil, fmt.Errorf("read the log's HMAC key: %w", source.err)
	}
	h, err := querylog.NewHasher(source.material)
	if err != nil {
		return nil, fmt.Errorf("read the log's HMAC key: %s %w", c.LogHMACKeyFile, err)
	}
	return h, nil
}

// openForReading opens the log for a command that changes nothing.
func (c *recordConfig) openForReading(ctx context.Context) (*database.DB, error) {
	return c.openLog(ctx, database.Options{URL: c.Database, ReadOnly: true})
}

// logPatience is how long a person waits for a database to be reached.
const logPatience = 15 * time.Second

func (c *recordConfig) openLog(ctx context.Context, o database.Options) (*database.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	db, err := database.Open(ctx, o)
	switch {
	case errors.Is(err, database.ErrNotThere):
		return nil, &exitError{Code: exitOther, Err: err, Hint: "'protocolq recorder' makes it; is --database right?"}
	case errors.Is(err, database.ErrNewer):
		return nil, &exitError{Code: exitOther, Err: err, Hint: "use the program that made it, or a later one"}
	case err != nil:
		return nil, &exitError{Code: exitNoAnswer, Err: err, Hint: "can the database be reached from here, and may this user?"}
	}
	return db, nil
}

// awaitLog opens the log for writing, and tries on for ever while the database
// is away: the stream holds the lines meanwhile.
func (c *recordConfig) awaitLog(ctx context.Context, log *slog.Logger) (*database.DB, error) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		db, err := c.openLog(ctx, database.Options{URL: c.Database})
		if err == nil || ctx.Err() != nil || errors.Is(err, database.ErrNewer) {
			return db, err
		}
		log.Error("database not opened, trying on", "err", err)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("open the database: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
}
