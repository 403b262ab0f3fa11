// Queries that doors have decoded: found by the ask that they are of.

package member

import (
	"fmt"
	"testing"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// One token may come twice with two queries, of which the log has one: the caller gets the query of
// exactly its ask, or must read the log's.
func TestQueryIsThatOfTheAsk(t *testing.T) {
	m := &Member{}
	first, second := &journal.Ask{Token: "t"}, &journal.Ask{Token: "t"}
	m.queries.keep(first, &messages.Query{UserEmail: "first"})
	if q := m.Query(first); q == nil || q.UserEmail != "first" || m.Query(second) != nil {
		t.Errorf("%+v and %+v", q, m.Query(second))
	}
	m.queries.keep(second, &messages.Query{UserEmail: "second"})
	if q := m.Query(second); q == nil || q.UserEmail != "second" || m.Query(first) != nil {
		t.Errorf("%+v and %+v", q, m.Query(first))
	}
	for i := range 2 * mostQueries { // those that came first are given up
		m.queries.keep(&journal.Ask{Token: fmt.Sprint(i)}, &messages.Query{})
	}
	if m.Query(second) != nil || len(m.queries.young)+len(m.queries.old) > 2*mostQueries {
		t.Errorf("%d and %d are held", len(m.queries.young), len(m.queries.old))
	}
}
