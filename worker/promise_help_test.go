// What the tests of promises share: many askers at once, a death, and what was published.

package worker_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/journal"
	"protocolq/worker/querylog"
)

// cut ends a worker abruptly, like kill -9.
func (m *member) cut() {
	m.dies = true
	m.o.NATS.Close()
	m.o.Reply.Close()
}

// brief lets a death be noticed and handled in about 6 s. A call may take long enough that its
// answer is read on a busy machine, too; otherwise it would be tried again.
func brief(o *worker.Options) {
	o.Lease, o.CallTime, o.Grace = 4*time.Second, 1500*time.Millisecond, time.Second
}

// written turns on the query log.
func written(t testing.TB) func(*worker.Options) {
	t.Helper()
	h, err := querylog.NewHasher([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *worker.Options) { o.LogHasher = h }
}

// received is what one asker received.
type received struct {
	messages.Result
	err  error
	at   time.Time
	took time.Duration
}

// askAll asks all at once; the returned func waits for the replies, in the order of the queries.
func (f *fleet) askAll(queries ...messages.Query) func() []received {
	all, done := make([]received, len(queries)), make(chan struct{})
	for i, q := range queries {
		go func() {
			begun := time.Now()
			r, err := f.try(q)
			all[i] = received{r, err, time.Now(), time.Since(begun)}
			done <- struct{}{}
		}()
	}
	return func() []received {
		f.t.Helper()
		for range queries {
			<-done
		}
		for _, r := range all {
			if r.err != nil {
				f.t.Error(r.err)
			}
		}
		return all
	}
}

// many are queries for n accounts that play a part.
func many(part string, n int) (all []messages.Query) {
	for i := range n {
		all = append(all, messages.Query{UserEmail: email(part, i)})
	}
	return all
}

// submits stores a query in the stream of submitted queries.
func (f *fleet) submits(subject string, q messages.Query) {
	f.t.Helper()
	body, err := q.Encode(messages.MsgPack)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.js.Publish(f.t.Context(), subject, body); err != nil {
		f.t.Fatal(err)
	}
}

// durable are the replies in the stream of replies, by the asker's id.
func (f *fleet) durable() map[string][]messages.Result {
	f.t.Helper()
	all := map[string][]messages.Result{}
	for _, m := range f.contents(messages.Replies) {
		r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
		if err != nil {
			f.t.Fatal(err)
		}
		all[r.ID] = append(all[r.ID], r)
	}
	return all
}

// contents are the messages that a stream holds.
func (f *fleet) contents(kind messages.Kind) (all []*jetstream.RawStreamMsg) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(kind))
	if err != nil {
		f.t.Fatal(err)
	}
	st := s.CachedInfo().State
	for at := st.FirstSeq; at <= st.LastSeq && st.Msgs > 0; at++ {
		m, err := s.GetMsg(f.t.Context(), at)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// eventsOf counts the events of each run.
func (f *fleet) eventsOf() map[string]int {
	f.t.Helper()
	runs := map[string]int{}
	for _, m := range f.contents(messages.Events) {
		var e struct{ Run string }
		if err := json.Unmarshal(m.Data, &e); err != nil || e.Run == "" {
			f.t.Fatalf("%s: %v", m.Data, err)
		}
		runs[e.Run]++
	}
	return runs
}

// rows are a database's content of the lines: its keys are runs and the tokens of asks. A line that
// is published again after a death must say the same.
func (f *fleet) rows() (runs map[string]querylog.Run, asks map[string]bool) {
	f.t.Helper()
	runs, asks = map[string]querylog.Run{}, map[string]bool{}
	for _, m := range f.contents(messages.Log) {
		if m.Subject == f.names.LogRun() {
			all, err := querylog.DecodeRuns(m.Data)
			if err != nil {
				f.t.Fatal(err)
			}
			for _, r := range all {
				if known, ok := runs[r.ID]; ok && !reflect.DeepEqual(known, r) {
					f.t.Errorf("two lines of one run: %+v and %+v", known, r)
				}
				runs[r.ID] = r
			}
			continue
		}
		all, err := querylog.DecodeAsks(m.Data)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, a := range all {
			asks[a.Token] = true
		}
	}
	return runs, asks
}

// tokens are those of all asks in the journal.
func (f *fleet) tokens() map[string]bool {
	f.t.Helper()
	all := map[string]bool{}
	for _, b := range f.journal() {
		for _, e := range b.Entries {
			if a, ok := e.(*journal.Ask); ok {
				all[a.Token] = true
			}
		}
	}
	return all
}

// answered is the time at which the answer of each run was stored.
func (f *fleet) answered() map[string]time.Time {
	f.t.Helper()
	at := map[string]time.Time{}
	for _, b := range f.journal() {
		for _, e := range b.Entries {
			if a, ok := e.(*journal.Answer); ok {
				at[a.Run] = b.Stored
			}
		}
	}
	return at
}

// remove deletes streams; the returned func makes them anew with their consumers.
func (f *fleet) remove(kinds ...messages.Kind) (anew func()) {
	f.t.Helper()
	for _, k := range kinds {
		if err := f.js.DeleteStream(f.t.Context(), f.names.Stream(k)); err != nil {
			f.t.Fatal(err)
		}
	}
	return f.provision
}

// owner is the worker with a call in progress.
func owner(t testing.TB, all ...*member) (m *member) {
	t.Helper()
	within(t, "a call under way", func() bool {
		for _, m = range all {
			if m.Stats().InFlight > 0 {
				return true
			}
		}
		return false
	})
	return m
}
