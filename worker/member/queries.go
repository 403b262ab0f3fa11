// Queries: those that this worker's doors have decoded, so that a reply need not decode them again.

package member

import (
	"sync"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// mostQueries are held at once, twice; the oldest are dropped first, and are decoded again if they
// are needed.
const mostQueries = 4096

type queries struct {
	mu         sync.Mutex // guards what follows
	young, old map[string]read
}

// read is an ask from a door, and its query.
type read struct {
	ask   *journal.Ask
	query *messages.Query
}

// keep holds the query of an ask.
func (q *queries) keep(a *journal.Ask, query *messages.Query) {
	if query == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.young == nil || len(q.young) >= mostQueries {
		q.young, q.old = map[string]read{}, q.young
	}
	q.young[a.Token] = read{a, query}
}

// forget drops all.
func (q *queries) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.young, q.old = nil, nil
}

// Query is the query of an ask from one of this worker's doors, found by the ask itself: an ask
// read from the log may be another arrival of its token. It is nil if it is not known, and must not
// be changed.
func (m *Member) Query(a *journal.Ask) *messages.Query {
	if r := m.queries.get(a.Token); r.ask == a {
		return r.query
	}
	return nil
}

// of is the query of an ask, or nil.
func (q *queries) of(token string) *messages.Query { return q.get(token).query }

func (q *queries) get(token string) read {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.young[token]; r.query != nil {
		return r
	}
	return q.old[token]
}
