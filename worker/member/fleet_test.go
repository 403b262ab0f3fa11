// A fleet in a bubble: members with everything real but the network, the gateway and the outbox.

package member_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/flight"
	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
	"protocolq/worker/member"
	"protocolq/worker/outbox"
)

var settings = fleet.Options{
	Lease: 12 * time.Second, Grace: 2 * time.Second, Keep: 10 * time.Minute, Lag: time.Minute, Attempts: 5, Deaths: 3,
}

// world is what the members of a test share.
type world struct {
	t    *testing.T
	log  *journaltest.Log
	took time.Duration // a call
	what flight.Outcome

	mu      sync.Mutex // guards what follows
	signs   []func(journal.Member)
	serving map[journal.Member]*one
	well    map[journal.Member]func() bool // of those that serve
	calls   []call
	replies map[string][]reply // by token
	runs    map[string]int     // by run, how often its duty was given
	corrupt map[string]int     // by worker, unreadable batches
	away    bool               // what is given is not published
}

type call struct {
	by    string
	query string
	at    time.Duration
}

type reply struct {
	by, what string
	at       time.Duration
	source   string
	after    time.Duration // RetryAfter
	last     string        // the code of the failure that kept the key cool
}

// one is a worker of the test.
type one struct {
	*member.Member
	w      *world
	name   string
	conn   *journaltest.Conn
	frozen bool // it is cut off from the servers; guarded by world.mu
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	known  map[journal.Ref]bool // duties that are not told; guarded by world.mu
}

func bubble(t *testing.T, do func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, log: journaltest.New(1), took: 20 * time.Millisecond, serving: map[journal.Member]*one{},
			what:    flight.Outcome{Class: flight.Answered, Keep: time.Minute, Result: []byte("yes")},
			replies: map[string][]reply{}, runs: map[string]int{}, corrupt: map[string]int{}}
		do(w)
	})
}

var begun = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of a bubble's clock

// start starts a worker, and waits until it is in the fleet.
func (w *world) start(name string, change ...func(o *member.Options)) *one {
	w.t.Helper()
	x := w.begin(name, change...)
	select {
	case <-x.Ready():
	case <-time.After(time.Minute):
		w.t.Fatal("not ready within a minute")
	}
	return x
}

// begin starts a worker.
func (w *world) begin(name string, change ...func(o *member.Options)) *one {
	w.t.Helper()
	x := &one{w: w, name: name, conn: w.log.Connect(journaltest.Faults{}), known: map[journal.Ref]bool{}, done: make(chan struct{})}
	n, runs := 0, 0
	o := member.Options{
		Log: log{x.conn}, Signs: x, Duties: x, Fleet: settings, CallTime: 8 * time.Second, Turns: x, Call: x.call,
		NewID: func() journal.Member { n++; return journal.Member(fmt.Sprintf("%s-%d", name, n)) },
		Flights: flight.Options{
			Words:  flight.Words{Deadline: "DEADLINE", Conflict: "CONFLICT", Cooling: "COOLING", Overloaded: "OVERLOADED", Crashed: "CRASHED", Forgotten: "FORGOTTEN"},
			NewRun: func() string { runs++; return fmt.Sprintf("%s-r%d", name, runs) },
			Result: func(code string, _ int) []byte { return []byte(code) },
			Waits:  func() func() time.Duration { return func() time.Duration { return 100 * time.Millisecond } },
		},
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if x.Member, err = member.New(o); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	x.cancel = cancel
	go func() {
		defer close(x.done)
		x.err = x.Run(ctx)
	}()
	return x
}

// kill ends a worker without a word.
func (x *one) kill() {
	x.conn.Cut(true)
	x.w.mu.Lock()
	x.frozen = true
	for m, by := range x.w.serving {
		if by == x {
			delete(x.w.serving, m)
		}
	}
	x.w.mu.Unlock()
	x.cancel()
	<-x.done
}

// leave ends a worker as SIGTERM does.
func (x *one) leave() {
	ctx, cancel := context.WithTimeout(x.w.t.Context(), 15*time.Second)
	defer cancel()
	x.Drain(ctx)
	x.Leave(ctx)
	x.cancel()
	<-x.done
	if x.err != nil {
		x.w.t.Errorf("%s ended with %v", x.name, x.err)
	}
}

type log struct{ *journaltest.Conn }

func (log) Limit(context.Context) (int, error) { return 0, nil }

// Beat implements [member.Signs].
func (x *one) Beat(m journal.Member) error {
	x.w.mu.Lock()
	signs, frozen := slices.Clone(x.w.signs), x.frozen
	x.w.mu.Unlock()
	for _, each := range signs {
		if !frozen {
			each(m)
		}
	}
	return nil
}

// Follow implements [member.Signs].
func (x *one) Follow(each func(journal.Member)) (func(), error) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	x.w.signs = append(x.w.signs, func(m journal.Member) {
		x.w.mu.Lock()
		frozen := x.frozen
		x.w.mu.Unlock()
		if !frozen {
			each(m)
		}
	})
	return func() {}, nil
}

// Serve implements [member.Signs].
func (x *one) Serve(m journal.Member, well func() bool) (func(), error) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	if x.w.well == nil {
		x.w.well = map[journal.Member]func() bool{}
	}
	x.w.serving[m], x.w.well[m] = x, well
	return func() {
		x.w.mu.Lock()
		defer x.w.mu.Unlock()
		delete(x.w.serving, m)
	}, nil
}

// Ping implements [member.Signs].
func (x *one) Ping(_ context.Context, of journal.Member) (answered, mute bool) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	by := x.w.serving[of]
	return by != nil && !by.frozen && !x.frozen && x.w.well[of](), by == nil && !x.frozen
}

// Add implements [member.Duties]: everything is published at once, and once.
func (x *one) Add(d outbox.Duty) bool {
	x.w.mu.Lock()
	known := x.known[d.Entry]
	x.known[d.Entry] = true
	switch {
	case known: // as an outbox, which says once more that it is done
	case d.Ask != nil:
		r := reply{by: x.name, at: time.Since(begun), what: d.Ask.Why, source: string(d.Ask.Source), after: d.Ask.RetryAfter}
		if d.Ask.Failed != nil {
			r.last = d.Ask.Failed.Code
		}
		if d.Ask.Answer != nil {
			r.what = string(d.Ask.Answer.Result)
		}
		x.w.replies[d.Ask.Ask.Token] = append(x.w.replies[d.Ask.Ask.Token], r)
	case d.Corrupt != nil:
		x.w.corrupt[x.name]++
	case d.Run != nil:
		x.w.runs[d.Run.Answer.Run]++
		if len(d.Run.Begins) == 0 || d.Run.Query == nil {
			x.w.t.Errorf("duty of run %s has %d begins, query %q", d.Run.Answer.Run, len(d.Run.Begins), d.Run.Query)
		}
	}
	away := x.w.away
	x.w.mu.Unlock()
	if !away {
		x.finish(d.Entry)
	}
	return true
}

// finish says that a duty is done.
func (x *one) finish(entry journal.Ref) { x.Done([]journal.Ref{entry}) }

// Told implements [member.Duties].
func (x *one) Told(entries ...journal.Ref) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	for _, e := range entries {
		delete(x.known, e)
	}
}

// Disown implements [member.Duties].
func (x *one) Disown() {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	clear(x.known)
}

// Try implements [flight.Turns].
func (x *one) Try(string) (func(), bool) { return func() {}, true }

// May implements [flight.Turns].
func (x *one) May(string) bool { return true }

// Enter implements [flight.Turns].
func (x *one) Enter(context.Context, string) (flight.Admission, error) {
	return flight.Admission{Leave: func() {}}, nil
}

// call is the gateway.
func (x *one) call(ctx context.Context, a *journal.Ask, _ int, fence func() error) flight.Outcome {
	if err := fence(); err != nil {
		return flight.Outcome{Class: flight.Unsent}
	}
	x.w.mu.Lock()
	x.w.calls = append(x.w.calls, call{x.name, string(a.Query), time.Since(begun)})
	took, what := x.w.took, x.w.what
	x.w.mu.Unlock()
	t := time.NewTimer(took)
	defer t.Stop()
	select {
	case <-t.C:
		return what
	case <-ctx.Done():
		return flight.Outcome{Class: flight.Temporary, Code: "TIMEOUT", Result: []byte("no")}
	}
}

// ask journals an ask by this worker's door.
func (x *one) ask(token string, key byte, with ...func(a *journal.Ask)) {
	x.w.t.Helper()
	a := &journal.Ask{Token: token, Key: journal.Key{key, key}, Question: journal.Hash{key, 1}, Query: []byte(token), Door: journal.Await,
		Partner: "p", Asker: "a", MaxAge: -1, Reply: "_INBOX.x"}
	for _, w := range with {
		w(a)
	}
	if err := x.Ask(a, nil, nil, func(err error) {
		if err != nil && !errors.Is(err, member.ErrClosed) {
			x.w.t.Errorf("ask %s: %v", token, err)
		}
	}); err != nil {
		x.w.t.Errorf("ask %s: %v", token, err)
	}
}

// wantReply looks at what an asker was given: once, by whom ("": anybody), what.
func (w *world) wantReply(token, what string) reply {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.replies[token]
	if len(got) != 1 || got[0].what != what {
		w.t.Errorf("%s was given %v, want %q once; answered are %v", token, got, what, slices.Sorted(maps.Keys(w.replies)))
		return reply{}
	}
	return got[0]
}

// called is how many calls were made.
func (w *world) called() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

func (w *world) wantCalls(n int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.calls) != n {
		w.t.Errorf("%d calls, want %d: %v", len(w.calls), n, w.calls)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
