// A member with everything real but the gateway and the network: writer, reader, fold, loop.

package flight_test

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
	"protocolq/worker/simtest"
)

var fleetOptions = fleet.Options{Lease: 12 * time.Second, Grace: 2 * time.Second, Keep: 10 * time.Minute, Lag: time.Minute, Attempts: 5, Deaths: 3}

// member is one in a bubble of testing/synctest.
type member struct {
	t       *testing.T
	log     *journaltest.Log
	conn    *journaltest.Conn
	state   *fleet.State
	own     *fleet.Own
	fence   *fleet.Fence
	loop    *flight.Loop
	writer  *journal.Writer
	start   time.Time
	dial    time.Duration
	fenceMu sync.Mutex

	mu     sync.Mutex // guards what follows
	shut   bool       // the fence is, whatever the lease says
	calls  []gone
	most   int // calls at once
	now    int
	told   map[string]heard
	swap   func(journal.Entry) // makes what is read that of another log; nil: it is not
	gate   func(ctx context.Context, partner string) (flight.Admission, error)
	may    func(partner string) bool // nil: all
	free   string                    // a partner whose calls need no gate
	answer func(n int, query string) (time.Duration, flight.Outcome)
	noted  func() // at the end of each call, where outcomes are noted
}

// gone is a call whose first byte has left, heard what an asker was told, both with their times.
type gone struct {
	at      time.Duration
	query   string
	attempt int
}

type heard struct {
	at   time.Duration
	what string
}

// bubble lets a member live while do does what a test is about.
func bubble(t *testing.T, change func(o *flight.Options), do func(m *member)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMember(t, change)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		reader, err := journal.NewReader(journal.ReaderOptions{Source: m.conn, Apply: m.apply})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []func(context.Context) error{m.loop.Run, m.writer.Run, reader.Run, m.beat} {
			running.Go(func() {
				if err := part(ctx); err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("a part ended: %v", err)
				}
			})
		}
		if err := m.writer.Beat(nil); err != nil { // joins
			t.Fatal(err)
		}
		synctest.Wait()
		do(m)
		cancel()
		running.Wait()
	})
}

func newMember(t *testing.T, change func(o *flight.Options)) *member {
	m := &member{t: t, log: journaltest.New(1), own: &fleet.Own{ID: "m1"}, state: fleet.New(fleetOptions, 1), start: time.Now(), told: map[string]heard{}}
	m.conn = m.log.Connect(journaltest.Faults{})
	m.fence, _ = fleet.NewFence(fleetOptions.Lease, 8*time.Second)
	m.answer = func(int, string) (time.Duration, flight.Outcome) { return 10 * time.Millisecond, answered }
	runs := 0
	o := flight.Options{
		Words: words, Result: func(code string, _ int) []byte { return []byte(code) },
		NewRun: func() string { runs++; return fmt.Sprintf("r%d", runs) },
		Waits:  func() func() time.Duration { return func() time.Duration { return 100 * time.Millisecond } },
	}
	if change != nil {
		change(&o)
	}
	var err error
	if m.writer, err = journal.NewWriter(journal.WriterOptions{Log: m.conn, Member: m.own.ID, Decide: m.decide, Stored: m.stored}); err != nil {
		t.Fatal(err)
	}
	m.loop, err = flight.NewLoop(flight.LoopOptions{
		Flights: o, Turns: m, Texts: m, Call: m.call, Member: flight.Member{Waker: m.writer, Fence: m.mayCall}, CallTime: 8 * time.Second,
		Now: func() time.Duration { return time.Since(m.start) },
	}, m.state, m.own)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var answered = flight.Outcome{Class: flight.Answered, Keep: time.Minute, Result: []byte("yes")}

func failed(after time.Duration) flight.Outcome {
	return flight.Outcome{Class: flight.Temporary, Code: "TEMPORARY", Result: []byte("no"), RetryAfter: after}
}

func (m *member) beat(ctx context.Context) error {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		m.loop.Do(func(f *flight.Flights, _ time.Duration) {
			if f.Open() > 0 {
				_ = m.writer.Beat(nil)
			}
		})
	}
}

// composing is the batch in both forms.
type composing struct {
	d *journal.Draft
	f *fleet.Draft
}

func (c composing) Entries() []journal.Entry { return c.d.Entries() }

func (c composing) Add(e journal.Entry, k journal.Key) error {
	if _, err := c.d.Add(e); err != nil {
		return err
	}
	c.f.Add(e, k)
	return nil
}

func (m *member) decide(d *journal.Draft) (read uint64) {
	m.loop.Do(func(f *flight.Flights, now time.Duration) {
		draft := m.own.Draft(m.state, d.Number())
		for _, e := range d.Entries() {
			draft.Add(e)
		}
		f.Decide(composing{d, draft}, now)
		read = draft.Head.Read
		m.own.Sent()
	})
	return read
}

func (m *member) stored(w journal.Written) {
	m.loop.Do(func(f *flight.Flights, now time.Duration) {
		m.fenceMu.Lock()
		m.fence.Sent(w.Number, w.FirstSent.Sub(m.start), w.FirstSent.Sub(m.start))
		m.fence.Acknowledged()
		m.fenceMu.Unlock()
		f.Stored(w.Position, w.Entries, now)
	})
}

func (m *member) apply(b *journal.Batch) error {
	var err error
	m.loop.Do(func(f *flight.Flights, now time.Duration) {
		var c *fleet.Changes
		if c, err = m.state.Apply(b, fleet.Heard{At: now}); err != nil {
			return
		}
		if b.Member == m.own.ID {
			m.own.Applied(b.Number)
		}
		for _, d := range c.Due {
			if m.state.Owes(m.own.ID, d) {
				m.tell(d, now)
			}
		}
		f.Applied(b, c, now)
	})
	return err
}

func (m *member) tell(d fleet.Duty, now time.Duration) {
	if d.Ask != nil {
		m.mu.Lock()
		m.told[d.Ask.Token] = heard{now, simtest.Says(d.Ask.Settled)}
		m.mu.Unlock()
	}
	if err := m.writer.Append(&journal.Told{Entries: []journal.Ref{d.Entry}}, nil); err != nil {
		m.t.Errorf("told: %v", err)
	}
}

func (m *member) mayCall() error {
	m.mu.Lock()
	shut := m.shut
	m.mu.Unlock()
	m.fenceMu.Lock()
	defer m.fenceMu.Unlock()
	if now := time.Since(m.start); shut || !m.fence.MayCall(now, now) {
		return errFence
	}
	return nil
}

// call is the gateway.
func (m *member) call(ctx context.Context, a *journal.Ask, attempt int, fence func() error) flight.Outcome {
	time.Sleep(m.dial)
	if err := fence(); err != nil {
		return flight.Outcome{Class: flight.Temporary} // it has failed, and that is all it says
	}
	m.mu.Lock()
	m.calls = append(m.calls, gone{time.Since(m.start), string(a.Query), attempt})
	m.now++
	m.most = max(m.most, m.now)
	took, o := m.answer(len(m.calls), string(a.Query))
	m.mu.Unlock()
	t := time.NewTimer(took)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		o = failed(0)
	}
	m.mu.Lock()
	m.now--
	noted := m.noted
	m.mu.Unlock()
	if noted != nil {
		noted()
	}
	return o
}

// Try implements [flight.Turns].
func (m *member) Try(partner string) (func(), bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return func() {}, m.gate == nil || partner == m.free
}

// May implements [flight.Turns].
func (m *member) May(partner string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.may == nil || m.may(partner)
}

// Enter implements [flight.Turns].
func (m *member) Enter(ctx context.Context, partner string) (flight.Admission, error) {
	m.mu.Lock()
	gate := m.gate
	m.mu.Unlock()
	if gate == nil {
		return flight.Admission{Leave: func() {}}, nil
	}
	return gate(ctx, partner)
}

// Entry implements [flight.Texts].
func (m *member) Entry(ctx context.Context, at journal.Ref) (journal.Entry, error) {
	msg, err := m.conn.Get(ctx, at.Position)
	if err != nil || msg.Position == 0 {
		return nil, errors.Join(err, errors.New("not there"))
	}
	b, err := journal.Decode(msg)
	if err != nil {
		return nil, err
	}
	if m.swap != nil {
		m.swap(b.Entries[at.Index-1])
	}
	return b.Entries[at.Index-1], nil
}

// ask journals an ask, changed by with.
func (m *member) ask(token string, key byte, with func(a *journal.Ask)) {
	m.t.Helper()
	a := &journal.Ask{
		Token: token, Key: journal.Key{key}, Question: journal.Hash{key, 1}, Query: []byte(token), Door: journal.Await, Partner: "p", Asker: "a",
		MaxAge: -1,
	}
	if with != nil {
		with(a)
	}
	if err := m.writer.Append(a, nil); err != nil {
		m.t.Fatal(err)
	}
}

func submit(a *journal.Ask) { a.Door = journal.Submit }

func left(d time.Duration) func(*journal.Ask) {
	return func(a *journal.Ask) { a.Left = d }
}

// wait lets time pass.
func (m *member) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantCalls looks at when calls were made.
func (m *member) wantCalls(at ...time.Duration) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var got []time.Duration
	for _, c := range m.calls {
		got = append(got, c.at)
	}
	if !slices.Equal(got, at) {
		m.t.Errorf("calls at %v, want %v", got, at)
	}
}

// wantTold looks at what an asker was told, and when.
func (m *member) wantTold(token string, at time.Duration, what string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	got, ok := m.told[token]
	if !ok {
		m.t.Errorf("%s was told nothing, want %s; told are %v", token, what, slices.Sorted(maps.Keys(m.told)))
	} else if got.at != at || got.what != what && (what != "answer" || len(got.what) < 6 || got.what[:6] != "answer") {
		m.t.Errorf("%s was told %q after %v, want %q after %v", token, got.what, got.at, what, at)
	}
}

func (m *member) wantWaits(token string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if got, ok := m.told[token]; ok {
		m.t.Errorf("%s was told %q after %v, want it to wait", token, got.what, got.at)
	}
}

func (m *member) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}
