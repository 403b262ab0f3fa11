// The journal, as the tests read it.

package worker_test

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// journal reads all batches in the log.
func (f *fleet) journal() (all []*journal.Batch) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(messages.Journal))
	if err != nil {
		f.t.Fatal(err)
	}
	info := s.CachedInfo().State
	for at := info.FirstSeq; at <= info.LastSeq; at++ {
		ctx, cancel := context.WithTimeout(f.t.Context(), 5*time.Second)
		m, err := s.GetMsg(ctx, at)
		cancel()
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, f.batch(m))
	}
	return all
}

func (f *fleet) batch(m *jetstream.RawStreamMsg) *journal.Batch {
	f.t.Helper()
	b, err := journal.Decode(journal.Message{
		Member: journal.Member(strings.TrimPrefix(m.Subject, f.names.Journal())), Position: m.Sequence, Stored: m.Time, Data: m.Data,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// owed counts the asks and answers in the journal that are not told. A submitted query that came
// twice at the same moment is there twice under one token, and the second counts for nothing.
func (f *fleet) owed() int {
	owed, came := map[journal.Ref]bool{}, map[string]bool{}
	for _, b := range f.journal() {
		for i, e := range b.Entries {
			switch e := e.(type) {
			case *journal.Ask:
				if e.Token == "" || !came[e.Token] {
					owed[b.Ref(i)] = true
				}
				came[e.Token] = true
			case *journal.Answer:
				if e.Verdict != journal.Released {
					owed[b.Ref(i)] = true
				}
			case *journal.Told:
				for _, ref := range e.Entries {
					delete(owed, ref)
				}
			}
		}
	}
	return len(owed)
}

// answers counts the answers in the journal.
func (f *fleet) answers() (n int) {
	for _, b := range f.journal() {
		for _, e := range b.Entries {
			if e.Kind() == journal.KindAnswer {
				n++
			}
		}
	}
	return n
}
