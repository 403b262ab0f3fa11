// The query log as the page reads it: opened when it is first needed, because its recorder may
// start later.

package console

import (
	"context"
	"fmt"
	"sync"

	"protocolq/cmd/protocolq/console/queries"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/worker/querylog/database"
)

// queryLog opens the log once the log exists.
type queryLog struct {
	url string

	mu sync.Mutex // guards db
	db *database.DB
}

// open returns the log. Without a URL there is no log.
func (l *queryLog) open(ctx context.Context) (*database.DB, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db != nil || l.url == "" {
		if l.db == nil {
			return nil, queries.ErrNoLog
		}
		return l.db, nil
	}
	db, err := logdb.OpenForReading(ctx, l.url)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	l.db = db
	return db, nil
}

func (l *queryLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db == nil {
		return nil
	}
	return l.db.Close()
}
