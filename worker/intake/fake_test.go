// Doors on a real server, between a journal, a memory and lines that a test plays.

package intake_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/journal"
	"protocolq/worker/natstest"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

const (
	partner  = "2088000000000001"
	partner2 = "2088000000000002"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// log is a journal.
type log struct {
	mu      sync.Mutex // guards what follows
	refuses error      // of Ask and Forget themselves
	fails   error      // of done
	holds   bool       // done is called by release
	tries   int
	asks    []*journal.Ask
	queries []*messages.Query
	persons []journal.Hash
	held    []func(error)
}

func (l *log) set(change func(*log)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *log) Ask(a *journal.Ask, q *messages.Query, _ func() bool, done func(error)) error {
	if _, err := journal.Encode(1, 0, a); err != nil {
		return err
	}
	return l.take(done, func() { l.asks, l.queries = append(l.asks, a), append(l.queries, q) })
}

func (l *log) Forget(person journal.Hash, done func(error)) error {
	return l.take(done, func() { l.persons = append(l.persons, person) })
}

func (l *log) take(done func(error), keep func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tries++; l.refuses != nil {
		return l.refuses
	}
	if keep(); l.holds {
		l.held = append(l.held, done)
		return nil
	}
	err := l.fails
	go done(err)
	return nil
}

// release ends all that is held.
func (l *log) release(err error) {
	l.mu.Lock()
	held := l.held
	l.held, l.holds = nil, false
	l.mu.Unlock()
	for _, done := range held {
		done(err)
	}
}

func (l *log) taken() []*journal.Ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*journal.Ask(nil), l.asks...)
}

func (l *log) tried() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries
}

// memory is what is remembered.
type memory struct {
	mu    sync.Mutex // guards what follows
	kept  map[journal.Key]intake.Kept
	known map[string]bool
	near  journal.Near // asked for last
}

func (m *memory) Remembered(a *journal.Ask) (intake.Kept, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[a.Key]
	return k, ok
}

func (m *memory) Knows(token string, near journal.Near) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.near = near
	return m.known[token] || m.known[journal.TokenOf(near.Earlier)] || m.known[journal.TokenOf(near.Later)]
}

// lines keeps lines.
type lines struct {
	mu   sync.Mutex // guards all
	all  []querylog.Ask
	whom []messages.Query
}

func (l *lines) PublishRemembered(q *messages.Query, a querylog.Ask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.whom = append(l.all, a), append(l.whom, *q)
}

func (l *lines) codes() (codes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.all {
		codes = append(codes, strings.TrimSpace(a.Outcome+" "+a.Code))
	}
	return codes
}

// fixture is a server with the streams that the doors need, and its doors.
type fixture struct {
	t      *testing.T
	srv    *server.Server
	names  messages.Names
	nc     *nats.Conn // of askers
	js     jetstream.JetStream
	log    *log
	memory *memory
	lines  *lines
	doors  *intake.Doors
	closed func() // closes the doors and ends them; once
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	srv := natstest.Serve(t, server.Options{JetStream: true})
	f := &fixture{t: t, srv: srv, names: must(messages.NewNames("protocol"))(t), log: &log{}, lines: &lines{},
		memory: &memory{kept: map[journal.Key]intake.Kept{}, known: map[string]bool{}}}
	f.nc = f.connect()
	f.js = must(jetstream.New(f.nc))(t)
	f.stream(jetstream.StreamConfig{Name: f.submitted(), Subjects: []string{"protocol.submit", "protocol.submit.>", "protocol.redrive.*", "protocol.forget"},
		Retention: jetstream.WorkQueuePolicy, Duplicates: time.Minute})
	f.consumer(time.Minute) // longer than a test waits: what is given back comes before it
	f.stream(jetstream.StreamConfig{Name: f.names.Stream(messages.Replies), Subjects: f.names.Captures(messages.Replies), Retention: jetstream.WorkQueuePolicy})
	return f
}

func (f *fixture) submitted() string { return f.names.Stream("SUBMITTED") }

func (f *fixture) connect() *nats.Conn {
	return natstest.Connect(f.t, f.srv, nats.ReconnectBufSize(-1), nats.MaxReconnects(-1))
}

func (f *fixture) stream(c jetstream.StreamConfig) {
	f.t.Helper()
	c.Storage = jetstream.MemoryStorage
	must(f.js.CreateStream(f.t.Context(), c))(f.t)
}

func (f *fixture) dead(most int64) {
	f.t.Helper()
	f.stream(jetstream.StreamConfig{Name: f.names.Stream(messages.Dead), Subjects: f.names.Captures(messages.Dead), MaxMsgs: most, Discard: jetstream.DiscardNew})
}

func (f *fixture) consumer(ackWait time.Duration) {
	f.t.Helper()
	must(f.js.CreateConsumer(f.t.Context(), f.submitted(), jetstream.ConsumerConfig{Durable: messages.ConsumerSubmitted, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 50_000}))(f.t)
}

// start opens doors.
func (f *fixture) start(change ...func(*intake.Options)) {
	f.t.Helper()
	if err := f.open(change...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) open(change ...func(*intake.Options)) error {
	f.t.Helper()
	nc, reply := f.connect(), f.connect()
	streams := publish.New(nc)
	o := intake.Options{Reply: reply, Consumers: must(jetstream.New(nc))(f.t), Journal: f.log, Memory: f.memory, Letters: streams, Replies: streams,
		Lines: f.lines, Names: f.names, Partners: []string{partner, partner2}, DefaultPartner: partner, OwnInboxes: []string{"_INBOX_wk"}}
	for _, c := range change {
		c(&o)
	}
	f.doors = must(intake.New(o))(f.t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { streams.Run(ctx) })
	running.Go(func() { _ = f.doors.Run(ctx) })
	err := f.doors.Open(f.t.Context())
	f.closed = sync.OnceFunc(func() {
		closing, done := context.WithTimeout(ctx, time.Second)
		defer done()
		f.doors.Close(closing)
		_ = nc.Flush()
		cancel()
		running.Wait()
		nc.Close()
		reply.Close()
	})
	f.t.Cleanup(f.closed)
	return err
}

// ask asks and awaits; body is a Query's or a text.
func (f *fixture) ask(subject, body string) (messages.Result, *nats.Msg) {
	f.t.Helper()
	m := must(f.nc.Request(subject, []byte(body), time.Minute))(f.t)
	r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
	if err != nil {
		f.t.Fatal(err)
	}
	return r, m
}

// submit stores a message.
func (f *fixture) submit(subject, body string, header ...string) {
	f.t.Helper()
	m := &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i < len(header); i += 2 {
		m.Header[header[i]] = []string{header[i+1]}
	}
	must(f.js.PublishMsg(f.t.Context(), m))(f.t)
}

// stored is how many messages a stream holds.
func (f *fixture) stored(name string) int {
	f.t.Helper()
	s := must(f.js.Stream(f.t.Context(), name))(f.t)
	return int(must(s.Info(f.t.Context()))(f.t).State.Msgs)
}

// last is the newest message of a stream.
func (f *fixture) last(kind messages.Kind) *jetstream.RawStreamMsg {
	f.t.Helper()
	s := must(f.js.Stream(f.t.Context(), f.names.Stream(kind)))(f.t)
	return must(s.GetMsg(f.t.Context(), must(s.Info(f.t.Context()))(f.t).State.LastSeq))(f.t)
}

// counted waits until the doors' figures are these: what is stored is counted when its
// acknowledgement is back, which is later.
func (f *fixture) counted(ok func(s intake.Stats) bool) {
	f.t.Helper()
	f.within("the figures", func() bool { return ok(f.doors.Stats()) })
}

// within waits until a condition holds.
func (f *fixture) within(what string, holds func() bool) {
	f.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(2 * time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			f.t.Fatalf("%s: not within 2 minutes; %+v", what, f.doors.Stats())
		}
	}
}
