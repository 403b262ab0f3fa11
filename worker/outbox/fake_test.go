// Sinks that a test plays: away in several manners, slow, forgetful, and refusing.

package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

const partner = "2088001122334455"

// manner is how a sink fails.
type manner int

const (
	well   manner = iota
	gone          // the server says at once that there is no such stream, or the connection that it is not there
	silent        // nothing is stored, and nothing is reported
	full          // the stream has no room
)

// sink is a stream, or all inboxes. It says nothing of what it was sent while it is away.
type sink struct {
	mu     sync.Mutex // guards what follows
	manner manner
	chance *rand.Rand    // of delays and of acknowledgements that are lost; nil: none
	lose   float64       // the part of acknowledgements that are lost
	slow   time.Duration // the longest delay
	most   int           // bytes of a message; 0: no bound
	absent map[string]bool
	filled string // the subject that is full

	tries  int // messages that came, stored or not
	begun  time.Time
	stored map[string]time.Duration // by subject and Msg-Id: when, since begun
	msgs   []*nats.Msg
}

func newSink() *sink { return &sink{begun: time.Now(), stored: map[string]time.Duration{}} }

func (s *sink) is(m manner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manner = m
}

// fill makes one subject full.
func (s *sink) fill(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filled = subject
}

func (s *sink) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

// tried is how many messages came, stored or not.
func (s *sink) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// has are the messages that are stored.
func (s *sink) has() []*nats.Msg {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.msgs)
}

// take stores a message, or not: err is what the server says, and after how long.
func (s *sink) take(m *nats.Msg, within time.Duration) (after time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.chance != nil && s.slow > 0 {
		after = time.Duration(s.chance.Int64N(int64(s.slow)))
	}
	switch {
	case s.manner == gone:
		return 0, jetstream.ErrNoStreamResponse
	case s.manner == silent:
		return within, publish.ErrNoAck
	case s.manner == full:
		return after, fmt.Errorf("publish: %w", &jetstream.APIError{ErrorCode: 10077, Description: "maximum bytes exceeded"})
	case s.filled == m.Subject:
		return after, fmt.Errorf("publish: %w", &jetstream.APIError{ErrorCode: 10077, Description: "maximum messages per subject exceeded"})
	case s.most > 0 && len(m.Data) > s.most:
		return after, fmt.Errorf("publish: %w", &jetstream.APIError{ErrorCode: 10054, Description: "message size exceeds maximum allowed"})
	}
	id := m.Subject + " " + m.Header.Get(messages.HeaderMsgID)
	if _, known := s.stored[id]; !known {
		s.stored[id] = time.Since(s.begun)
		s.msgs = append(s.msgs, &nats.Msg{Subject: m.Subject, Data: bytes.Clone(m.Data), Header: m.Header})
	}
	if s.chance != nil && s.chance.Float64() < s.lose {
		return within, publish.ErrNoAck
	}
	return after, nil
}

// Go implements [outbox.Stream].
func (s *sink) Go(m *nats.Msg, within time.Duration, done func(uint64, error)) error {
	after, err := s.take(m, within)
	if errors.Is(err, jetstream.ErrNoStreamResponse) && s.tried()%2 == 0 {
		return err // the connection knows it itself
	}
	if after == 0 {
		done(1, err)
		return nil
	}
	time.AfterFunc(after, func() { done(1, err) })
	return nil
}

// PublishWithin implements [querylog.Sink].
func (s *sink) PublishWithin(ctx context.Context, within time.Duration, m *nats.Msg) (uint64, error) {
	after, err := s.take(m, within)
	select {
	case <-time.After(after):
		return 1, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Send implements [outbox.Inboxes].
func (s *sink) Send(ctx context.Context, replies []*nats.Msg) []error {
	results := make([]error, len(replies))
	longest := time.Duration(0)
	for i, m := range replies {
		var after time.Duration
		after, results[i] = s.take(m, 5*time.Second)
		longest = max(longest, after)
		if results[i] == nil && s.absent[m.Subject] {
			results[i] = outbox.ErrNobody
		}
	}
	select {
	case <-time.After(longest):
	case <-ctx.Done():
	}
	return results
}

// stage is an outbox with all its sinks.
type stage struct {
	t       *testing.T
	begun   time.Time
	box     *outbox.Outbox
	names   messages.Names
	inboxes *sink
	replies *sink
	events  *sink
	dead    *sink
	log     *sink
	said    *record
	end     func()

	mu   sync.Mutex // guards done
	done map[journal.Ref]time.Duration
}

// Go implements [outbox.Stream] for the two streams that share a connection.
func (s *stage) Go(m *nats.Msg, within time.Duration, done func(uint64, error)) error {
	if strings.HasPrefix(m.Subject, s.names.Dead("")) {
		return s.dead.Go(m, within, done)
	}
	return s.events.Go(m, within, done)
}

// sinks are all sinks by name.
func (s *stage) sinks() map[string]*sink {
	return map[string]*sink{"inboxes": s.inboxes, "replies": s.replies, "events": s.events, "dead": s.dead, "log": s.log}
}

// newStage sets an outbox up. It is to be called in a bubble.
func newStage(t *testing.T, change ...func(*outbox.Options)) *stage {
	t.Helper()
	s := &stage{t: t, begun: time.Now(), inboxes: newSink(), replies: newSink(), events: newSink(), dead: newSink(), log: newSink(), done: map[journal.Ref]time.Duration{}, said: &record{}}
	s.names = must(messages.NewNames(messages.DefaultPrefix))(t)
	s.run(change...)
	return s
}

// run begins an outbox on the stage's sinks.
func (s *stage) run(change ...func(*outbox.Options)) {
	hasher := must(querylog.NewHasher([]byte(strings.Repeat("k", 32))))(s.t)
	lines := querylog.NewPublisher(querylog.PublisherOptions{To: s.log, Names: s.names, Hasher: hasher})
	o := outbox.Options{Names: s.names, Inboxes: s.inboxes, Replies: s.replies, Streams: s, Lines: lines, Done: s.note, Logger: slog.New(s.said)}
	for _, c := range change {
		c(&o)
	}
	s.box = must(outbox.New(o))(s.t)
	ctx, stop := context.WithCancel(s.t.Context())
	var parts sync.WaitGroup
	parts.Go(func() { _ = lines.Run(ctx) })
	parts.Go(func() { _ = s.box.Run(ctx) })
	s.end = func() { stop(); parts.Wait() }
}

// note notes when duties were done, each once.
func (s *stage) note(refs []journal.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range refs {
		if _, twice := s.done[r]; twice {
			s.t.Errorf("%s is done twice", r)
		}
		s.done[r] = time.Since(s.begun)
	}
}

func (s *stage) doneAt(r journal.Ref) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.done[r]
	return at, ok
}

// finished is how many duties are done.
func (s *stage) finished() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.done)
}

// add gives duties and lets what can be done at once be done.
func (s *stage) add(duties ...outbox.Duty) {
	s.t.Helper()
	for _, d := range duties {
		if !s.box.Add(d) {
			s.t.Fatalf("no room for %s", d.Entry)
		}
	}
	synctest.Wait()
}

// pass lets time go on.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// record keeps what is logged above the level of information.
type record struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (r *record) Enabled(_ context.Context, l slog.Level) bool { return l > slog.LevelInfo }
func (r *record) WithAttrs([]slog.Attr) slog.Handler           { return r }
func (r *record) WithGroup(string) slog.Handler                { return r }
func (r *record) Handle(_ context.Context, rec slog.Record) error {
	line := rec.Message
	rec.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

// count counts the lines that hold a text.
func (r *record) count(text string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// What duties are made of.

var serverTime = time.UnixMilli(1795424390123)

func ref(n int) journal.Ref { return journal.Ref{Position: uint64(n), Index: 1} }

func signed(t testing.TB, run string) *journal.Answer {
	t.Helper()
	r := messages.Result{V: 1, Partner: partner, Outcome: messages.Signed, ChargeAgent: new(true), RefundCharge: new(false), UserID: "20881234567890123456",
		IsSuccess: "T", Attempts: 1, AskedAtMs: 1795424398000, ExpiresAtMs: 1795424458210, Verified: messages.VerifiedSign}
	return &journal.Answer{Run: run, Verdict: journal.Conclusive, Result: must(r.Encode(messages.MsgPack))(t), Partner: partner}
}

// askOf is an ask of run n's answer, replied to on a subject.
func askOf(t testing.TB, n int, to string, answer *journal.Answer) outbox.Duty {
	t.Helper()
	q := messages.Query{ID: fmt.Sprintf("id-%d", n), Partner: partner, UserEmail: "zhang.san@example.com"}
	a := &journal.Ask{Token: fmt.Sprintf("tok-%d", n), Query: must(q.Encode(messages.MsgPack))(t), Reply: to, Encoding: 1, Door: journal.Await, Partner: partner}
	return outbox.Duty{Entry: ref(n), Ask: &outbox.Ask{Ask: a, Stored: serverTime, Answer: answer, Source: messages.Joined}}
}

// lateAsk is a submitted ask whose deadline passed.
func lateAsk(t testing.TB, n int, to string) outbox.Duty {
	t.Helper()
	d := askOf(t, n, to, nil)
	d.Ask.Why, d.Ask.Ask.Door = messages.DeadlinePassed, journal.Submit
	return d
}

func runOf(t testing.TB, n int, asks ...*journal.Ask) outbox.Duty {
	t.Helper()
	answer := signed(t, fmt.Sprintf("run-%d", n))
	var asked []outbox.Asked
	for _, a := range asks {
		asked = append(asked, outbox.Asked{Ask: a})
	}
	q := messages.Query{ID: "first", Partner: partner, UserEmail: "zhang.san@example.com"}
	return outbox.Duty{Entry: ref(n), Run: &outbox.Run{Answer: answer, Stored: serverTime, By: "member-1", Query: must(q.Encode(messages.MsgPack))(t), Asks: asked,
		Begins: []outbox.Begun{{Begin: &journal.Begin{Run: answer.Run, Attempt: 1}, Stored: serverTime.Add(-time.Second)}}}}
}

// ids are the identities of what a sink has, without their subjects, sorted.
func (s *sink) ids() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.stored {
		_, id, _ = strings.Cut(id, " ")
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}
