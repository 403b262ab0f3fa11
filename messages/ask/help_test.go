// Stand-ins for the workers that do as each test says, and ways to ask them.

package ask_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// quick are Options with times for tests.
var quick = ask.Options{Try: 50 * time.Millisecond, MaxTry: 100 * time.Millisecond, Pause: 10 * time.Millisecond, MaxPause: 20 * time.Millisecond}

// calm are Options with which silence causes no second try, on any busy machine: only replies do.
var calm = ask.Options{Try: time.Hour, Pause: quick.Pause, MaxPause: quick.MaxPause}

func newClient(t testing.TB, nc *nats.Conn, o ask.Options) *ask.Client {
	t.Helper()
	c, err := ask.New(nc, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// taken is a query as a stand-in received it.
type taken struct {
	msg *nats.Msg
	q   messages.Query
	at  time.Time
}

// standIn plays a worker: handle answers the n-th message (from 1); standIn keeps all messages.
type standIn struct {
	mu   sync.Mutex // guards came
	came []taken
}

func play(t testing.TB, nc *nats.Conn, subject string, handle func(n int, in taken)) *standIn {
	t.Helper()
	s := &standIn{}
	_, err := nc.Subscribe(subject, func(m *nats.Msg) {
		q, _, err := messages.DecodeQuery(m.Data, m.Header.Get(messages.HeaderContentType))
		if err != nil {
			t.Errorf("query: %v", err)
			return
		}
		in := taken{msg: m, q: q, at: time.Now()}
		s.mu.Lock()
		s.came = append(s.came, in)
		n := len(s.came)
		s.mu.Unlock()
		handle(n, in)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *standIn) all() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]taken(nil), s.came...)
}

// reply answers like a worker, in the encoding of the question.
func (in taken) reply(t testing.TB, r messages.Result) {
	r.ID = in.q.ID
	_, encoding, err := messages.DecodeQuery(in.msg.Data, in.msg.Header.Get(messages.HeaderContentType))
	if err != nil {
		t.Error(err)
	}
	data, err := r.Encode(encoding)
	if err != nil {
		t.Error(err)
	}
	m := nats.NewMsg(in.msg.Reply)
	m.Data = data
	m.Header.Set(messages.HeaderContentType, string(encoding))
	if err := in.msg.RespondMsg(m); err != nil {
		t.Error(err)
	}
}

var signed = messages.Result{Outcome: messages.Signed, ChargeAgent: new(true), RefundCharge: new(false), Source: messages.Asked, Attempts: 1}

var late = messages.Result{Outcome: messages.Unknown, Code: messages.DeadlinePassed, Retryable: true}

// eventually polls ok until it is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// cord makes connections to a server, and cuts them.
type cord struct {
	srv *server.Server

	mu   sync.Mutex // guards what follows
	last net.Conn
	down bool
}

func (c *cord) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, net.ErrClosed
	}
	var err error
	c.last, err = c.srv.InProcessConn()
	return c.last, err
}

// cut breaks the connection; until mend no new one can be made.
func (c *cord) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = true
	_ = c.last.Close()
}

func (c *cord) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
}
