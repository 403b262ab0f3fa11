// A store in memory, and a fleet of groups on it, for tests in a bubble of their own time.

package dedupe_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/dedupe"
)

var errLost = errors.New("no acknowledgement")

// fakeStore keeps records in memory and tells every group of each change.
type fakeStore struct {
	mu      sync.Mutex
	seq     uint64
	entries map[string]dedupe.Entry
	ends    map[string]time.Time
	hear    []func(dedupe.Entry)
	deaf    bool         // changes are not told: republished messages are lost
	ahead   atomic.Int64 // nanoseconds: how far its clock has been set forward

	// before may refuse a Put, and lose may lose its acknowledgement; nil: neither.
	before func(rec *dedupe.Record) error
	lose   func(rec *dedupe.Record) bool
	stored func(was, is *dedupe.Entry) // witnesses each change; may be nil
	puts   []string                    // phase of each record stored
	most   int                         // records it has room for; 0: no bound

	mute  int           // so many reads are never answered
	blind int           // so many reads fail
	freed chan struct{} // closed by free: they end after all
}

// free ends the reads that were never answered.
func (s *fakeStore) free() { close(s.freed) }

func newFakeStore() *fakeStore {
	return &fakeStore{entries: map[string]dedupe.Entry{}, ends: map[string]time.Time{}, freed: make(chan struct{})}
}

func (s *fakeStore) Put(ctx context.Context, key string, rec *dedupe.Record, terms dedupe.Terms) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.before != nil {
		if err := s.before(rec); err != nil {
			return 0, err
		}
	}
	if s.now(key).Seq != terms.Expect {
		return 0, dedupe.ErrConflict
	}
	if s.most > 0 && len(s.entries) >= s.most && s.entries[key].Seq == 0 {
		return 0, dedupe.ErrFull
	}
	s.seq++
	e := dedupe.Entry{Key: key, Seq: s.seq, Time: time.Now().Add(time.Duration(s.ahead.Load())), Record: *rec}
	seconds := time.Duration(math.Ceil(max(terms.TTL.Seconds(), 1)))
	if was := s.now(key); s.stored != nil {
		s.stored(&was, &e)
	}
	s.entries[key], s.ends[key] = e, time.Now().Add(seconds*time.Second)
	s.puts = append(s.puts, string(rec.Phase))
	if !s.deaf {
		for _, hear := range s.hear {
			hear(e)
		}
	}
	if s.lose != nil && s.lose(rec) {
		return 0, errLost
	}
	return s.seq, nil
}

func (s *fakeStore) Get(ctx context.Context, key string) (dedupe.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blind > 0 {
		s.blind--
		return dedupe.Entry{}, errLost
	}
	if s.mute > 0 {
		s.mute--
		s.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-s.freed:
		}
		s.mu.Lock()
		return dedupe.Entry{}, errLost
	}
	return s.now(key), nil
}

// now is the entry of key, or one with sequence 0 when its time has ended. The caller holds mu.
func (s *fakeStore) now(key string) dedupe.Entry {
	if !time.Now().Before(s.ends[key]) {
		return dedupe.Entry{Key: key}
	}
	return s.entries[key]
}

// phases returns what was stored so far.
func (s *fakeStore) phases() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.puts)
}

// fleet is some processes on one store, with one way to do the work.
type fleet struct {
	t      *testing.T
	store  *fakeStore
	groups []*dedupe.Group[string]

	mu    sync.Mutex
	runs  int // calls of work
	work  func(ctx context.Context, l *dedupe.Lease, n int) (dedupe.Outcome, error)
	names int
	asked int
}

// newFleet makes n groups whose work takes a second and answers "answer <n>", kept a minute.
func newFleet(t *testing.T, n int, o dedupe.Options) *fleet {
	t.Helper()
	f := &fleet{t: t, store: newFakeStore()}
	f.work = func(ctx context.Context, _ *dedupe.Lease, n int) (dedupe.Outcome, error) {
		if err := wait(ctx, time.Second); err != nil {
			return dedupe.Outcome{}, err
		}
		return dedupe.Outcome{Answer: fmt.Appendf(nil, "answer %d", n), Keep: time.Minute}, nil
	}
	for i := range n {
		o.Store, o.Owner, o.NewRun = f.store, fmt.Sprintf("w%d", i), f.newRun
		g, err := dedupe.New(o, dedupe.Work[string]{Run: f.run, Inherit: inherit, GaveUp: gaveUp})
		if err != nil {
			t.Fatal(err)
		}
		f.groups = append(f.groups, g)
		f.store.hear = append(f.store.hear, g.Observe)
	}
	return f
}

// inherit adds a holder's death to what he had inherited himself.
func inherit(dead *dedupe.Record) []byte {
	return fmt.Appendf(slices.Clip(dead.Journal), "%s died;", dead.Run)
}

func gaveUp(_, run string, deaths int) dedupe.Outcome {
	return dedupe.Outcome{Answer: fmt.Appendf(nil, "gave up %s after %d", run, deaths), Keep: 30 * time.Second, Failed: true}
}

func (f *fleet) newRun() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names++
	return fmt.Sprintf("run%d", f.names)
}

func (f *fleet) run(ctx context.Context, l *dedupe.Lease, _ string) (dedupe.Outcome, error) {
	f.mu.Lock()
	f.runs++
	n := f.runs
	f.mu.Unlock()
	return f.work(ctx, l, n)
}

func (f *fleet) made() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.runs
}

// close ends all groups and fails the test when any work had to be dropped.
func (f *fleet) close() {
	for _, g := range f.groups {
		if err := g.Close(context.Background()); err != nil {
			f.t.Error(err)
		}
	}
}

// told is one asker's verdict and when it came.
type told struct {
	dedupe.Verdict
	after time.Duration
	count int
}

// ask joins key at group g and returns where its verdict will stand.
func (f *fleet) ask(g int, key string, change ...func(*dedupe.Ask[string])) *told {
	begun := time.Now()
	got := &told{}
	f.mu.Lock()
	f.asked++
	id := fmt.Sprint("ask ", f.asked)
	f.mu.Unlock()
	a := &dedupe.Ask[string]{ID: id, Query: key, Question: []byte("question"), Stored: begun, MaxAge: -1, Until: begun.Add(time.Hour),
		Tell: func(v dedupe.Verdict) {
			f.mu.Lock()
			defer f.mu.Unlock()
			got.Verdict, got.after = v, time.Since(begun)
			got.count++
		}}
	for _, c := range change {
		c(a)
	}
	f.groups[g].Join(key, a)
	return got
}

func maxAge(d time.Duration) func(*dedupe.Ask[string]) {
	return func(a *dedupe.Ask[string]) { a.MaxAge = d }
}

// want checks a verdict: its kind, its answer, its source, and the time it took.
func (f *fleet) want(got *told, kind dedupe.Kind, answer string, source dedupe.Source, after time.Duration) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got.count != 1 || got.Kind != kind || string(got.Answer) != answer || got.Source != source || got.after != after {
		f.t.Errorf("told %d times: kind %d %q source %d after %v; want once: kind %d %q source %d after %v",
			got.count, got.Kind, got.Answer, got.Source, got.after, kind, answer, source, after)
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// settle lets d pass and all that is due happen.
func settle(d time.Duration) {
	if d > 0 {
		time.Sleep(d)
	}
	synctest.Wait()
}
