// The persons of lines, and lines of answers from memory: on the test's own clock, into a log that
// the test plays.

package querylog_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// played is the stream LOG as a test plays it: it takes lines, unless it is away or full.
type played struct {
	mu     sync.Mutex // guards what follows
	away   bool       // no acknowledgement comes
	full   bool
	most   int           // longer lines are refused for good; 0: none
	tries  int           // of all lines
	losing int           // lost acknowledgements of lines that were taken
	slow   time.Duration // each line takes so long
	lines  []string      // the tokens or runs of each, joined by commas
	ids    []string
	asks   []querylog.Ask
	runs   []querylog.Run
}

func (l *played) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// PublishWithin implements [querylog.Sink].
func (l *played) PublishWithin(ctx context.Context, within time.Duration, m *nats.Msg) (uint64, error) {
	l.mu.Lock()
	away, slow := l.away, l.slow
	l.mu.Unlock()
	if away {
		slow = within
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(slow):
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries++
	if away {
		return 0, publish.ErrNoAck
	}
	if l.most > 0 && len(m.Data) > l.most {
		return 0, fmt.Errorf("publish: %w", &jetstream.APIError{Code: 400, ErrorCode: 10054})
	}
	if l.full {
		return 0, fmt.Errorf("publish: %w", &jetstream.APIError{Code: 503, ErrorCode: 10077})
	}
	var names []string
	if m.Subject == "protocol.log.run" {
		runs, err := querylog.DecodeRuns(m.Data)
		if err != nil {
			return 0, err
		}
		l.runs = append(l.runs, runs...)
		for _, r := range runs {
			names = append(names, r.ID)
		}
	} else {
		asks, err := querylog.DecodeAsks(m.Data)
		if err != nil {
			return 0, err
		}
		l.asks = append(l.asks, asks...)
		for _, a := range asks {
			names = append(names, a.Token)
		}
	}
	l.lines, l.ids = append(l.lines, strings.Join(names, ",")), append(l.ids, m.Header.Get(jetstream.MsgIDHeader))
	if l.losing > 0 {
		l.losing--
		return 0, publish.ErrNoAck
	}
	return uint64(len(l.lines)), nil
}

// taken returns the lines since the last time.
func (l *played) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func (l *played) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := l.taken(); !slices.Equal(got, want) {
		t.Errorf("written %.200q, want %.200q", got, want)
	}
}

// running is a Publisher that runs until end is called.
func running(t *testing.T, l *played, change ...func(*querylog.PublisherOptions)) (p *querylog.Publisher, end func()) {
	t.Helper()
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	o := querylog.PublisherOptions{To: l, Names: names, Hasher: hasher(t)}
	for _, c := range change {
		c(&o)
	}
	p = querylog.NewPublisher(o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return p, end
}

// now is a valid time for a line: a bubble's clock begins in 2000.
func now() time.Time { return time.Now().Add(30 * 365 * 24 * time.Hour) }

func remember(p *querylog.Publisher, tokens ...string) {
	for _, token := range tokens {
		p.PublishRemembered(&messages.Query{}, querylog.Ask{Token: token, At: now()})
	}
}

// The log may be away for longer than a batch is tried: answers from that time are written when it
// is back, whichever batch they were in. Only lines beyond the bound, or left at the end, are
// dropped, and counted.
func TestAnswersFromMemoryOutlastALogThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, try = 100 * time.Millisecond, 5 * time.Second
		const most = 100
		l := &played{}
		p, end := running(t, l, func(o *querylog.PublisherOptions) { o.Remembered = most })

		remember(p, "a", "b")
		time.Sleep(every)
		l.want(t, "a,b")

		l.set(func() { l.away = true })
		remember(p, "c", "d")
		time.Sleep(every)
		remember(p, "e")
		time.Sleep(try + 2*every)
		remember(p, "f")
		l.want(t)
		l.set(func() { l.away = false })
		time.Sleep(try + 2*every)
		synctest.Wait()
		got := strings.Split(strings.Join(l.taken(), ","), ",")
		slices.Sort(got)
		if !slices.Equal(got, []string{"c", "d", "e", "f"}) || p.Lost() != 0 {
			t.Errorf("written %q, lost %d", got, p.Lost())
		}

		l.set(func() { l.away = true })
		for i := range most + 5 {
			remember(p, fmt.Sprint(i))
		}
		if p.Lost() != 5 {
			t.Errorf("lost %d of 5 that were too many", p.Lost())
		}
		end()
		if p.Lost() != most+5 {
			t.Errorf("lost %d at the end", p.Lost())
		}
	})
}

// Lines that wait when the worker ends are published once more.
func TestAnswersFromMemoryAreWrittenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &played{}
		p, end := running(t, l)
		remember(p, "a", "b")
		end()
		l.want(t, "a,b")
		if p.Lost() != 0 {
			t.Errorf("lost %d", p.Lost())
		}
	})
}

// By default a worker keeps 100,000 waiting lines. Dropped lines beyond that are counted, and
// logged.
func TestAnswersFromMemoryAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		p, _ := running(t, &played{}, func(o *querylog.PublisherOptions) { o.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
		for range 100_000 {
			remember(p, "a")
		}
		if p.Lost() != 0 || said.Len() > 0 {
			t.Errorf("lost %d of 100,000, said %q", p.Lost(), &said)
		}
		remember(p, "a")
		remember(p, "a")
		if p.Lost() != 2 || strings.Count(said.String(), "level=ERROR") != 1 || !strings.Contains(said.String(), "lost=1") {
			t.Errorf("lost %d of 100,002, said %q", p.Lost(), &said)
		}
	})
}

// The person in a line comes from the query, masked, for a run and for an ask.
func TestLinesAreMasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h := &played{}, hasher(t)
		p, end := running(t, l)
		derived := &messages.Query{ID: "someone@example.com", Partner: "2088000000000001", UserEmail: "someone@example.com", AccountNo: "2088123412341234"}
		given := &messages.Query{ID: "plain", Partner: "2088000000000001", UserEmail: "someone@example.com", Key: "their key"}
		for range 2 { // the second time they are known
			p.PublishRemembered(derived, querylog.Ask{Token: "derived", At: now(), Source: "remembered"})
			p.PublishRemembered(given, querylog.Ask{Token: "given", At: now()})
			p.PublishRemembered(&messages.Query{ID: "x"}, querylog.Ask{Token: "unknown", At: now(), Code: "BAD_REQUEST"})
		}
		p.PublishRun(querylog.Ran{Query: derived, Run: querylog.Run{ID: "run", At: now(), Outcome: "signed"}, Done: func(bool) {}})
		synctest.Wait()
		end()
		if len(l.asks) != 6 || len(l.runs) != 1 {
			t.Fatalf("%d asks and %d runs", len(l.asks), len(l.runs))
		}
		email, account := h.Email("someone@example.com"), h.Account("2088123412341234")
		for i, a := range l.asks {
			var want querylog.Ask
			switch i % 3 {
			case 0:
				want = querylog.Ask{Token: "derived", Source: "remembered", Request: h.Request("someone@example.com"), Partner: derived.Partner, Email: email, Account: account}
			case 1:
				want = querylog.Ask{Token: "given", Request: h.Request("plain"), Partner: given.Partner, Email: email, Key: h.Key(given.KeyToken())}
			case 2:
				want = querylog.Ask{Token: "unknown", Request: h.Request("x"), Code: "BAD_REQUEST"}
			}
			want.At, want.AnsweredAt = a.At, a.AnsweredAt
			if a != want {
				t.Errorf("line %d says %+v, want %+v", i, a, want)
			}
		}
		l.asks = nil
		p, end = running(t, l, func(o *querylog.PublisherOptions) { o.Partners = []string{"2088000000000002", derived.Partner} })
		p.PublishRemembered(derived, querylog.Ask{Token: "ours", At: now()})
		p.PublishRemembered(&messages.Query{Partner: "2088999999999999", UserEmail: "someone@example.com"}, querylog.Ask{Token: "theirs", At: now(), Field: "partner"})
		end()
		if a := l.asks; len(a) != 2 || a[0].Partner != derived.Partner || a[1].Partner != "" || a[1].Email != email || a[1].Field != "partner" {
			t.Errorf("of partners: %+v", a)
		}
		if r := l.runs[0]; r.Key != h.Key(derived.KeyToken()) || r.Partner != derived.Partner || r.Email != email || r.Account != account {
			t.Errorf("the run's line says %+v", r)
		}
	})
}

// Without a query log all lines are dropped at once, and nothing waits for them.
func TestDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := querylog.Discard
		after, written := stored(p, "a", "")
		if after() != 0 || !written() {
			t.Errorf("done with after %v, written %v", after(), written())
		}
		for range 20_000 {
			remember(p, "a")
		}
		if !<-publishRun(p, "one") {
			t.Error("a run is not done with")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Errorf("Run ended before its context: %v", err)
		default:
		}
		p.Drain()
		cancel()
		if err := <-ended; err != nil || p.Full() || p.Lost() != 0 {
			t.Errorf("%v, full %v, lost %d", err, p.Full(), p.Lost())
		}
	})
}
