// Package logdb is the query log's database: opened for a command that reads or changes it, written
// by a recorder, and summed up for a person. It is the one package that links the databases.
package logdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/worker/querylog/database"
)

// OpenForReading opens the log for a command that changes nothing.
func OpenForReading(ctx context.Context, url string) (*database.DB, error) {
	return Open(ctx, database.Options{URL: url, ReadOnly: true})
}

// logPatience is how long a person waits for a database to be reached.
const logPatience = 15 * time.Second

// Open opens the log. Its errors have an exit code and say what to do.
func Open(ctx context.Context, o database.Options) (*database.DB, error) {
	o.Patience = logPatience
	db, err := database.Open(ctx, o)
	switch {
	case errors.Is(err, database.ErrNotThere):
		return nil, &cli.Error{Code: cli.ExitOther, Err: err,
			Hint: "'protocolq recorder' makes it; is --database right?"}
	case errors.Is(err, database.ErrNewer):
		return nil, &cli.Error{Code: cli.ExitOther, Err: err, Hint: "use the program that made it, or a later one"}
	case err != nil:
		return nil, &cli.Error{Code: cli.ExitNoAnswer, Err: err,
			Hint: "can the database be reached from here, and may this user?"}
	}
	return db, nil
}

// Await opens the log for writing, and keeps trying while the database is unavailable: the stream
// keeps the lines meanwhile.
func Await(ctx context.Context, url string, log *slog.Logger) (*database.DB, error) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		db, err := Open(ctx, database.Options{URL: url})
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
