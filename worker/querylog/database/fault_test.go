//go:build unix

// Faults: a database that dies or is full, recorders that die or run in pairs, lines that come
// twice. Row by row, the log must hold what was published, once.

package database_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// desk is a NATS server on a socket with the stream of lines, and what was published into it.
type desk struct {
	t     testing.TB
	url   string
	nc    *nats.Conn
	js    jetstream.JetStream
	names messages.Names
	b     querylog.Batch // everything that was published
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true})
	d := &desk{t: t, url: ns.ClientURL()}
	var err error
	if d.nc, err = nats.Connect(d.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.nc.Close)
	if d.js, err = jetstream.New(d.nc); err != nil {
		t.Fatal(err)
	}
	if d.names, err = messages.NewNames("protocol"); err != nil {
		t.Fatal(err)
	}
	stream := d.names.Stream(messages.Log)
	if _, err := d.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream, Subjects: d.names.Captures(messages.Log), Retention: jetstream.WorkQueuePolicy}); err != nil {
		t.Fatal(err)
	}
	// A short AckWait: messages of a killed recorder come again soon.
	if _, err := d.js.CreateConsumer(t.Context(), stream, jetstream.ConsumerConfig{Durable: querylog.Consumer, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: time.Second, MaxDeliver: -1, MaxAckPending: 20_000}); err != nil {
		t.Fatal(err)
	}
	return d
}

// publish makes traffic of so many rows and publishes it, each tenth line twice.
func (d *desk) publish(rows int) {
	d.t.Helper()
	tr := &traffic{h: keys, rand: rand.New(rand.NewPCG(uint64(rows), 1)), at: time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC), step: 10 * time.Second, serial: d.b.Rows()}
	b := tr.batch(rows)
	for i, r := range b.Runs {
		line, err := r.Encode()
		d.send(d.names.LogRun(), line, err, i)
	}
	for i, a := range b.Asks {
		line, err := a.Encode()
		d.send(d.names.LogAsk(), line, err, i)
	}
	d.b.Runs, d.b.Asks = append(d.b.Runs, b.Runs...), append(d.b.Asks, b.Asks...)
	select {
	case <-d.js.PublishAsyncComplete():
	case <-time.After(2 * time.Minute):
		d.t.Fatal("not published")
	}
}

func (d *desk) send(subject string, line querylog.Line, err error, i int) {
	d.t.Helper()
	for range 1 + i%10/9 {
		if err == nil {
			_, err = d.js.PublishAsync(subject, line.Data, jetstream.WithStallWait(time.Minute))
		}
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) left() uint64 {
	d.t.Helper()
	s, err := d.js.Stream(d.t.Context(), d.names.Stream(messages.Log))
	if err != nil {
		d.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func (d *desk) empty() {
	d.t.Helper()
	eventually(d.t, "the stream is empty", func() bool { return d.left() == 0 })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// record runs a recorder in this process; the returned function ends it.
func (d *desk) record(w querylog.Writer, rows int) (*querylog.Recorder, func()) {
	d.t.Helper()
	r, err := querylog.New(querylog.Options{NATS: d.nc, Names: d.names, Database: w, Rows: rows, Write: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
	})
	d.t.Cleanup(stop)
	return r, stop
}

// check compares the log with everything that was published: every row, and every sum.
func (d *desk) check(db *database.DB) {
	d.t.Helper()
	rows := map[string]database.Ask{}
	for next := (database.Cursor{}); ; {
		page, err := db.List(d.t.Context(), database.Filter{}, next, database.MaxPage)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, a := range page.Asks {
			rows[a.Token] = a
		}
		if next = page.Next; next == (database.Cursor{}) {
			break
		}
	}
	if len(rows) != len(d.b.Asks) {
		d.t.Errorf("%d asks in the log, %d were published", len(rows), len(d.b.Asks))
	}
	bad := 0
	for _, a := range d.b.Asks {
		r := rows[a.Token]
		if r.AtMs != a.At.UnixMilli() || r.Outcome != a.Outcome || r.Code != a.Code || r.Run != a.Run || r.Partner != a.Partner || r.Source != a.Source ||
			r.ID != a.Request.String() || r.EmailID != a.Email.LookUp().String() || r.TookMs != a.AnsweredAt.Sub(a.At).Milliseconds() {
			bad++
		}
	}
	calls := 0
	for _, run := range d.b.Runs {
		calls += len(run.Attempts)
		stories, err := db.Show(d.t.Context(), run.ID, nil)
		if err != nil || stories[0].Run == nil || len(stories[0].Run.Calls) != len(run.Attempts) || stories[0].Run.Outcome != run.Outcome || len(stories[0].Asks) != 2 {
			bad++
		}
	}
	s, err := db.Stats(d.t.Context(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), "")
	if err != nil {
		d.t.Fatal(err)
	}
	if bad > 0 || int(s.Total.Asked) != len(d.b.Asks) || int(s.Total.Runs) != len(d.b.Runs) || int(s.Total.Called) != calls || s.Total.Rejected != 0 {
		d.t.Errorf("%d rows differ; sums %d asked, %d runs, %d called; published %d, %d, %d", bad, s.Total.Asked, s.Total.Runs, s.Total.Called, len(d.b.Asks), len(d.b.Runs), calls)
	}
}

// Two recorders at once on one database, with every tenth line twice.
func TestTwoRecordersOneDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		d := newDesk(t)
		one, other := open(t, url), open(t, url)
		d.publish(300)
		a, stopA := d.record(one, 100)
		b, stopB := d.record(other, 100)
		d.publish(300)
		d.empty()
		stopA()
		stopB()
		d.check(one)
		t.Logf("%+v %+v", a.Stats(), b.Stats())
	})
}

// The same lines are written into one database by many writers at once: each row is new to exactly
// one.
func TestWritersRace(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		d := newDesk(t)
		d.publish(600)
		var wg sync.WaitGroup
		var mu sync.Mutex
		fresh := 0
		for hand := range 4 {
			db := open(t, url)
			wg.Go(func() {
				order := rand.New(rand.NewPCG(uint64(hand), 0))
				for range 10 {
					lo := order.IntN(100)
					b := querylog.Batch{Runs: d.b.Runs[lo : lo+100], Asks: d.b.Asks[2*lo : 2*lo+200]}
					n := mustWrite(t, db, b)
					mu.Lock()
					fresh += n
					mu.Unlock()
				}
				n := mustWrite(t, db, querylog.Batch{Runs: d.b.Runs, Asks: d.b.Asks})
				mu.Lock()
				fresh += n
				mu.Unlock()
			})
		}
		wg.Wait()
		if fresh != d.b.Rows() {
			t.Errorf("%d rows were new, of %d", fresh, d.b.Rows())
		}
		d.check(open(t, url))
	})
}

// mustWrite tries again after a conflict of writers, as the recorder does.
func mustWrite(t *testing.T, db *database.DB, b querylog.Batch) int {
	for {
		w, err := db.Write(t.Context(), b)
		if err == nil {
			return w.Rows()
		}
		if !errors.Is(err, querylog.ErrTryAgain) {
			t.Error(err)
			return 0
		}
	}
}

// TestRecorderKilled kills a recorder in a process of its own, at each of its steps, again and
// again.
func TestRecorderKilled(t *testing.T) {
	for name, place := range places {
		for _, step := range []string{"before write", "in write", "after write", "after acks"} {
			t.Run(name+" "+step, func(t *testing.T) {
				t.Parallel()
				url := place(t)
				db, d := open(t, url), newDesk(t)
				d.publish(600)
				kills := 0
				for d.left() > 0 {
					child := d.child(t, url, step)
					if err := child.Run(); err == nil {
						continue // it ended normally: nothing came for a while
					}
					if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
						t.Fatalf("the recorder ended with %v", child.ProcessState)
					}
					if kills++; kills > 200 {
						t.Fatal("it gets nowhere")
					}
				}
				if kills < 2 {
					t.Errorf("only %d kills", kills)
				}
				t.Logf("%d kills", kills)
				d.check(db)
			})
		}
	}
}

// TestDatabaseKilled ends the server like a crash, in the middle of batches, and starts it again.
func TestDatabaseKilled(t *testing.T) {
	if _, err := sharedURL(); err != nil || os.Getenv("PROTOCOLQ_TEST_POSTGRES") != "" {
		postgresPlace(t) // fails or skips if there is none
	}
	c, err := newCluster()
	if errors.Is(err, errNoPostgres) {
		t.Skip("the PostgreSQL of PROTOCOLQ_TEST_POSTGRES is not ours to kill, and there are no programs for another")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.remove)
	url := c.url("postgres")
	d, db := newDesk(t), open(t, url)
	d.publish(3000)
	// The batches of a slow database: the kill comes in the middle of one.
	r, stop := d.record(slowly{db}, 50)
	for kill := range 3 {
		was := r.Stats().Rows
		eventually(t, "some rows more", func() bool { return r.Stats().Rows > was+100 })
		c.end(syscall.SIGQUIT)
		d.publish(200)
		if kill == 1 {
			eventually(t, "the recorder knows", func() bool { return r.Stats().Down })
		}
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
	}
	d.empty()
	stop()
	if s := r.Stats(); s.Failures == 0 || s.Rejected != 0 {
		t.Errorf("%+v", s)
	}
	d.check(db)
}

// TestFailover makes the server refuse rows while it still responds, like one that has become a
// standby. When another server is the primary, or the same again, connections to the former one
// must not be kept.
func TestFailover(t *testing.T) {
	url := postgresPlace(t)
	d, db := newDesk(t), open(t, url)
	r, stop := d.record(db, 100)
	d.publish(300)
	d.empty()
	base, err := sharedURL()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	path, _, _ := strings.Cut(url, "?")
	name := path[strings.LastIndex(path, "/")+1:]
	for _, statement := range []string{
		"ALTER DATABASE " + name + " SET default_transaction_read_only = on",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'",
	} {
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	d.publish(300)
	eventually(t, "no rows are taken", func() bool { return r.Stats().Failures > 2 })
	if _, err := admin.ExecContext(t.Context(), "ALTER DATABASE "+name+" SET default_transaction_read_only = off"); err != nil {
		t.Fatal(err)
	}
	d.empty()
	stop()
	d.check(db)
}

// slowly waits before each batch.
type slowly struct{ *database.DB }

func (s slowly) Write(ctx context.Context, b querylog.Batch) (querylog.Written, error) {
	<-time.After(5 * time.Millisecond)
	return s.DB.Write(ctx, b)
}
