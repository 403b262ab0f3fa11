// Masks of the persons in queries, kept for persons who are asked about often.

package querylog

import (
	"slices"
	"sync"

	"protocolq/messages"
)

// masker masks by a Hasher. It is safe for concurrent use.
type masker struct {
	hasher   *Hasher
	partners []string // partners that a line may name; nil: any

	mu    sync.Mutex // guards known
	known map[person]masks
}

// person is the raw person of a query; it stays in this process.
type person struct{ key, partner, email, account string }

// masks are the person's fields as a line may hold them.
type masks struct{ key, email, account Masked }

const mostMasked = 8192 // then all are forgotten

func (m *masker) of(q *messages.Query) masks {
	p := person{q.Key, q.Partner, q.UserEmail, q.AccountNo}
	m.mu.Lock()
	who, known := m.known[p]
	m.mu.Unlock()
	if known {
		return who
	}
	who = masks{m.hasher.Key(q.KeyToken()), m.hasher.Email(q.UserEmail), m.hasher.Account(q.AccountNo)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= mostMasked {
		m.known = map[person]masks{}
	}
	m.known[p] = who
	return who
}

// run fills in the person of the run.
func (m *masker) run(q *messages.Query, r Run) Run {
	who := m.of(q)
	r.Key, r.Partner, r.Email, r.Account = who.key, m.partner(q), who.email, who.account
	return r
}

// ask fills in the person of the ask, and its asker's own id. It leaves out a derived key: e-mail
// and account find the ask.
func (m *masker) ask(q *messages.Query, a Ask) Ask {
	who := m.of(q)
	if q.Key != "" {
		a.Key = who.key
	}
	a.Partner, a.Email, a.Account, a.Request = m.partner(q), who.email, who.account, m.hasher.Request(q.ID)
	return a
}

// partner is the query's partner if it is one of the fleet's, else "".
func (m *masker) partner(q *messages.Query) string {
	if m.partners == nil || slices.Contains(m.partners, q.Partner) {
		return q.Partner
	}
	return ""
}
