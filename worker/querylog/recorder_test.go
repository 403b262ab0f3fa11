// The recorder on a real server: every line once in the database, whatever the database does.

package querylog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/querylog"
)

// desk is a server with the stream LOG and its consumer.
type desk struct {
	t     *testing.T
	nc    *nats.Conn
	js    jetstream.JetStream
	names messages.Names
	h     *querylog.Hasher
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, h: hasher(t)}
	d.nc, d.js = natstest.JetStream(t)
	var err error
	if d.names, err = messages.NewNames("protocol"); err != nil {
		t.Fatal(err)
	}
	stream := d.names.Stream(messages.Log)
	if _, err := d.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream, Subjects: d.names.Captures(messages.Log), Retention: jetstream.WorkQueuePolicy}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.js.CreateConsumer(t.Context(), stream, jetstream.ConsumerConfig{Durable: querylog.Consumer, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: 2 * time.Second, MaxDeliver: -1, MaxAckPending: 20_000}); err != nil {
		t.Fatal(err)
	}
	return d
}

// publish puts lines into the stream without a message id, so that a line may be there twice.
func (d *desk) publish(subject string, data ...[]byte) {
	d.t.Helper()
	for _, one := range data {
		if _, err := d.js.PublishAsync(subject, one, jetstream.WithStallWait(time.Minute)); err != nil {
			d.t.Fatal(err)
		}
	}
	select {
	case <-d.js.PublishAsyncComplete():
	case <-time.After(2 * time.Minute):
		d.t.Fatal("not published")
	}
}

// lines are n runs with an ask each.
func (d *desk) lines(n int) (runs, asks [][]byte) {
	d.t.Helper()
	for i := range n {
		r := querylog.Run{ID: fmt.Sprintf("run-%05d", i), At: at, Outcome: "signed"}
		a := fullAsk(d.h, fmt.Sprintf("ask-%05d", i))
		a.Run = r.ID
		run, err := r.Encode()
		if err != nil {
			d.t.Fatal(err)
		}
		ask, err := a.Encode()
		if err != nil {
			d.t.Fatal(err)
		}
		runs, asks = append(runs, run.Data), append(asks, ask.Data)
	}
	return runs, asks
}

// start runs a recorder; the returned function ends it.
func (d *desk) start(o querylog.Options) (*querylog.Recorder, func()) {
	d.t.Helper()
	o.NATS, o.Names = d.nc, d.names
	r, err := querylog.New(o)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				d.t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * time.Minute):
			d.t.Error("Run has not ended")
		}
	})
	d.t.Cleanup(stop)
	return r, stop
}

func (d *desk) left() uint64 {
	d.t.Helper()
	s, err := d.js.Stream(d.t.Context(), d.names.Stream(messages.Log))
	if err != nil {
		d.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// pending is how many lines have not been fetched.
func (d *desk) pending() uint64 {
	d.t.Helper()
	c, err := d.js.Consumer(d.t.Context(), d.names.Stream(messages.Log), querylog.Consumer)
	if err != nil {
		d.t.Fatal(err)
	}
	return c.CachedInfo().NumPending
}

func (d *desk) empty() {
	d.t.Helper()
	eventually(d.t, "the stream is empty", func() bool { return d.left() == 0 })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// memory is a database that fails as the test says.
type memory struct {
	mu       sync.Mutex
	rows     map[string]int // written, by id: how often each was new
	rejected []querylog.Rejected
	writes   int
	fail     func(b querylog.Batch) error // called before each write
	ping     error
}

func (m *memory) Write(_ context.Context, b querylog.Batch) (w querylog.Written, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.fail != nil {
		if err := m.fail(b); err != nil {
			return w, err
		}
	}
	if m.rows == nil {
		m.rows = map[string]int{}
	}
	for _, r := range b.Runs {
		if m.rows[r.ID]++; m.rows[r.ID] == 1 {
			w.Runs++
		}
	}
	for _, a := range b.Asks {
		if m.rows[a.Token]++; m.rows[a.Token] == 1 {
			w.Asks++
		}
	}
	m.rejected = append(m.rejected, b.Rejected...)
	w.Rejected = len(b.Rejected)
	return w, nil
}

func (m *memory) Ping(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ping
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memory) ids() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.rows))
}

func TestRecorder(t *testing.T) {
	d, m := newDesk(t), &memory{}
	runs, asks := d.lines(3000)
	d.publish(d.names.LogRun(), runs...)
	d.publish(d.names.LogAsk(), asks...)
	d.publish(d.names.LogRun(), runs[:10]...) // a second time
	r, stop := d.start(querylog.Options{Database: m})
	d.empty()
	if n := len(m.ids()); n != 6000 {
		t.Errorf("%d rows", n)
	}
	if s := r.Stats(); s != (querylog.Stats{Rows: 6000, Known: 10, Started: true, Reading: true}) {
		t.Errorf("%+v", s)
	}
	if m.writes > 60 { // 3 on a machine at rest; line by line it would be 6,010
		t.Errorf("%d writes for 6010 lines", m.writes)
	}
	// A single line does not wait for a batch to fill.
	began := time.Now()
	more, _ := d.lines(3001)
	d.publish(d.names.LogRun(), more[3000])
	eventually(t, "the line is written", func() bool { return len(m.ids()) == 6001 })
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("one line took %v", took)
	}
	stop()
}

// Lines that keep coming share a transaction; a line after a quiet time is written at once.
func TestRecorderKeepsItsPace(t *testing.T) {
	d, m := newDesk(t), &memory{}
	runs, _ := d.lines(300)
	_, stop := d.start(querylog.Options{Database: m, Linger: time.Millisecond, Pace: 200 * time.Millisecond, Quiet: time.Second})
	began := time.Now()
	for _, run := range runs { // one at a time
		d.publish(d.names.LogRun(), run)
		<-time.After(time.Millisecond)
	}
	d.empty()
	took := time.Since(began)
	stop()
	if n := len(m.ids()); n != 300 {
		t.Errorf("%d rows", n)
	}
	if most := int(took/(200*time.Millisecond)) + 2; m.writes > most {
		t.Errorf("%d writes in %v, at most %d", m.writes, took, most)
	}
}

// Messages in hand are written when the recorder ends, and are bounded in bytes.
func TestRecorderHoldsLittle(t *testing.T) {
	d, m := newDesk(t), &memory{}
	runs, _ := d.lines(1)
	r, stop := d.start(querylog.Options{Database: m, Linger: time.Hour})
	d.publish(d.names.LogRun(), runs[0])
	eventually(t, "the line is fetched", func() bool { return d.pending() == 0 })
	<-time.After(time.Second) // on its way into the hand
	if n := r.Stats().Rows; n != 0 {
		t.Errorf("%d rows written of a line that may wait for an hour", n)
	}
	stop()
	if n := len(m.ids()); n != 1 {
		t.Errorf("%d rows", n)
	}
	d.empty()
	long := querylog.Run{At: at, Attempts: make([]querylog.Attempt, querylog.MaxAttempts)}
	for i := range long.Attempts {
		long.Attempts[i] = querylog.Attempt{At: at, Code: strings.Repeat("C", 64), Class: strings.Repeat("c", 64), Total: time.Hour, Body: time.Hour, DNS: time.Hour}
	}
	size, most := 0, 0
	m.set(func() { m.fail = func(b querylog.Batch) error { most = max(most, len(b.Runs)); return nil } })
	for i := range 900 { // of 24 KiB
		long.ID = fmt.Sprint("long-", i)
		line, err := long.Encode()
		if err != nil {
			t.Fatal(err)
		}
		d.publish(d.names.LogRun(), line.Data)
		size = len(line.Data)
	}
	_, stop = d.start(querylog.Options{Database: m, Linger: time.Hour})
	eventually(t, "the first of them are written", func() bool { return len(m.ids()) > 1 })
	stop()
	if bound := (16<<20)/size + 1; most > bound {
		t.Errorf("%d lines of %d bytes in one batch, at most %d", most, size, bound)
	}
}

// A message that is not a line is rejected once, and those around it are written.
func TestRecorderRejects(t *testing.T) {
	d, m := newDesk(t), &memory{}
	var log transcript
	runs, asks := d.lines(20)
	for i := range 10 {
		d.publish(d.names.LogRun(), runs[i], []byte("canary@example.com is no line"))
		d.publish(d.names.LogAsk(), asks[i])
	}
	r, stop := d.start(querylog.Options{Database: m, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	d.empty()
	stop()
	if n := len(m.ids()); n != 20 {
		t.Errorf("%d rows", n)
	}
	if s := r.Stats(); s.Rejected != 10 || len(m.rejected) != 10 || m.rejected[0].Stream != 2 || m.rejected[0].Size != 29 {
		t.Errorf("%+v, %+v", s, m.rejected)
	}
	all := fmt.Sprint(m.rejected) + log.String()
	if strings.Contains(all, "canary") || strings.Count(all, `"level":"ERROR","msg":"message rejected"`) != 1 {
		t.Errorf("what was rejected is told: %s", all)
	}
}

// A row that the database never takes keeps no other from being written.
func TestRecorderIsolatesWhatCannotBeStored(t *testing.T) {
	d := newDesk(t)
	m := &memory{fail: func(b querylog.Batch) error {
		for _, r := range b.Runs {
			if r.ID == "run-00007" || r.ID == "run-00300" {
				return fmt.Errorf("%w: row of canary", querylog.ErrUnstorable)
			}
		}
		return nil
	}}
	runs, asks := d.lines(500)
	var joined []querylog.Line // one of the two is in a line with others
	for _, data := range runs[:100] {
		joined = append(joined, querylog.Line{Data: data})
	}
	d.publish(d.names.LogRun(), querylog.JoinRuns(joined)[0].Data)
	d.publish(d.names.LogRun(), runs[100:]...)
	d.publish(d.names.LogAsk(), asks...)
	_, stop := d.start(querylog.Options{Database: m})
	d.empty()
	stop()
	if n := len(m.ids()); n != 998 {
		t.Errorf("%d rows", n)
	}
	if len(m.rejected) != 2 || strings.Contains(fmt.Sprint(m.rejected), "canary") {
		t.Errorf("rejected %+v", m.rejected)
	}
}

// A database that is away for a while loses nothing, and is logged rarely.
func TestRecorderHolds(t *testing.T) {
	d := newDesk(t)
	away := errors.New("connection refused")
	m := &memory{ping: away, fail: func(querylog.Batch) error { return away }}
	var log transcript
	runs, asks := d.lines(1500)
	d.publish(d.names.LogRun(), runs...)
	r, stop := d.start(querylog.Options{Database: m, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	eventually(t, "the database is known to be away", func() bool { return r.Stats().Down })
	d.publish(d.names.LogAsk(), asks...)
	<-time.After(1500 * time.Millisecond)
	if left := d.left(); left != 3000 {
		t.Errorf("the stream holds %d lines of 3000", left)
	}
	m.set(func() { m.ping = nil }) // it responds, and is full
	<-time.After(time.Second)
	m.set(func() { m.fail = nil })
	d.empty()
	stop()
	if n := len(m.ids()); n != 3000 {
		t.Errorf("%d rows", n)
	}
	if n := strings.Count(log.String(), `"level":"ERROR"`); n != 1 || !strings.Contains(log.String(), "recorder goes on") {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}

// Two recorders share the stream; after a conflict of writers the write is tried again at once.
func TestTwoRecorders(t *testing.T) {
	d := newDesk(t)
	n := 0
	m := &memory{fail: func(querylog.Batch) error {
		if n++; n%3 == 0 {
			return fmt.Errorf("%w: deadlock", querylog.ErrTryAgain)
		}
		return nil
	}}
	runs, asks := d.lines(2000)
	one, stopOne := d.start(querylog.Options{Database: m, Rows: 100})
	other, stopOther := d.start(querylog.Options{Database: m, Rows: 100})
	d.publish(d.names.LogRun(), runs...)
	d.publish(d.names.LogAsk(), asks...)
	d.empty()
	stopOne()
	stopOther()
	if n := len(m.ids()); n != 4000 {
		t.Errorf("%d rows", n)
	}
	if a, b := one.Stats(), other.Stats(); a.Rows == 0 || b.Rows == 0 || a.Rows+b.Rows != 4000 || a.Failures+b.Failures != 0 {
		t.Errorf("%+v %+v", a, b)
	}
}

func TestNewRecorder(t *testing.T) {
	if _, err := querylog.New(querylog.Options{}); err == nil {
		t.Error("made of nothing")
	}
}

// transcript is a log that is written and read at once.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
