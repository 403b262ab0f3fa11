// No debit without a "yes" of the gateway, none twice, and an answer in time, whatever is killed.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/messages/examples/exampletest"
	"protocolq/messages/protocolqtest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestNext(t *testing.T) {
	yes := messages.Result{Outcome: messages.Signed, ChargeAgent: new(true)}
	for _, tt := range []struct {
		r    messages.Result
		err  error
		want step
		wait time.Duration
	}{
		{r: yes, want: debit},
		{r: yes, err: context.DeadlineExceeded, want: later, wait: time.Second},
		{r: messages.Result{Outcome: messages.Signed, RefundCharge: new(true)}, want: decline},
		{r: messages.Result{Outcome: messages.Signed, ChargeAgent: new(false)}, want: decline},
		{r: messages.Result{Outcome: messages.NotSigned}, want: decline},
		{r: messages.Result{Outcome: messages.Abnormal, ChargeAgent: new(true)}, want: decline},
		{r: messages.Result{Outcome: messages.Refused, Code: messages.NotAllowed}, want: wrong},
		{r: messages.Result{}, want: later, wait: 0},
		{r: messages.Result{Outcome: messages.Unknown, ChargeAgent: new(true)}, want: later},
		{r: messages.Result{Outcome: messages.Unknown, Retryable: true, RetryAfterMs: 700}, want: later, wait: 700 * time.Millisecond},
		{r: messages.Result{Outcome: messages.Unknown, Retryable: true}, want: later, wait: 100 * time.Millisecond},
	} {
		if what, wait := next(&tt.r, tt.err); what != tt.want || wait != tt.wait {
			t.Errorf("%+v, %v: %s after %v", tt.r, tt.err, what, wait)
		}
	}
}

// bench is the program with its file, on a fleet.
type bench struct {
	t       *testing.T
	q       *protocolqtest.Fleet
	file    string
	rows    *store
	mu      sync.Mutex // guards what follows
	program *exampletest.Process
	address string
}

func newBench(t *testing.T, latency time.Duration) *bench {
	t.Helper()
	b := &bench{t: t, q: protocolqtest.StartWith(t, protocolqtest.Options{Latency: latency}), file: filepath.Join(t.TempDir(), "debits.db")}
	rows, err := open(t.Context(), b.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	b.rows = rows
	b.start()
	return b
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

func (b *bench) start() {
	b.t.Helper()
	p := exampletest.Start(b.t, "", "-nats", b.q.URL, "-store", b.file, "-listen", "127.0.0.1:0", "-within", within.String())
	exampletest.Eventually(b.t, "it listens", func() bool { return listening.MatchString(p.Said()) })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.program, b.address = p, listening.FindStringSubmatch(p.Said())[1]
}

// within is how long a request may take.
const within = 2 * time.Second

// answer is a response of the service.
type answer struct {
	status int
	Step   step  `json:"step"`
	Ms     int64 `json:"retry_after_ms"`
}

func (b *bench) post(order, email string) (a answer, err error) {
	b.mu.Lock()
	url := "http://" + b.address + "/debits/" + order + "?email=" + strings.ReplaceAll(email, "+", "%2B")
	b.mu.Unlock()
	r, err := http.Post(url, "", nil)
	if err != nil {
		return answer{}, err
	}
	defer r.Body.Close()
	a.status = r.StatusCode
	return a, json.NewDecoder(r.Body).Decode(&a)
}

func (b *bench) debits() (n int) {
	b.t.Helper()
	if err := b.rows.QueryRowContext(b.t.Context(), `SELECT count(*) FROM debits`).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// While the answer is unknown nothing is debited and nothing is declined, in time; later it is
// debited once.
func TestNoDebitOnUnknown(t *testing.T) {
	b := newBench(t, 0)
	email := protocolqtest.Email("signed", "zhang")
	for name, away := range map[string]struct{ stop, start func() }{
		"gateway": {b.q.StopGateway, b.q.StartGateway},
		"workers": {b.q.StopWorker, b.q.StartWorker},
		"NATS":    {b.q.StopNATS, b.q.StartNATS},
	} {
		away.stop()
		begun := time.Now()
		a, err := b.post("order-"+name, email)
		if took := time.Since(begun); err != nil || a.status != http.StatusServiceUnavailable || a.Step != later || a.Ms <= 0 || took > within+time.Second {
			t.Errorf("without %s: %+v, %v after %v", name, a, err, took)
		}
		if n := b.debits(); n != 0 {
			t.Errorf("without %s: %d debits, and nobody knows", name, n)
		}
		away.start()
	}
	for range 2 {
		exampletest.Eventually(t, "debited", func() bool {
			a, err := b.post("order-1", email)
			return err == nil && a.status == http.StatusOK && a.Step == debit
		})
	}
	if n := b.debits(); n != 1 {
		t.Errorf("%d debits", n)
	}
}

// Only the gateway declines: what nobody could ask says nothing about the account.
func TestNoDeclineOnWhatIsNotAsked(t *testing.T) {
	b := newBench(t, 0)
	if a, err := b.post("order-1", "nobody"); err != nil || a.status != http.StatusUnprocessableEntity || a.Step != wrong {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := b.post("order-1", protocolqtest.Email("not-signed", "zhang")); err != nil || a.status != http.StatusConflict || a.Step != decline {
		t.Errorf("%+v, %v", a, err)
	}
}

// The service waits through a failure that passes within the time of the request.
func TestAskedAgainInTime(t *testing.T) {
	b := newBench(t, 0)
	a, err := b.post("order-1", protocolqtest.Email("system-error-6", "li")) // five calls make one answer: unknown
	if err != nil || a.status != http.StatusOK {
		t.Errorf("%+v, %v", a, err)
	}
}

// Customers post until they get an answer; every part is killed in turn, each time during calls.
func TestDebitsOverKills(t *testing.T) {
	b := newBench(t, 500*time.Millisecond)
	parts := map[string]step{"signed": debit, "debit-only": debit, "refund-only": decline, "not-signed": decline, "system-error-2": debit, "fault-drop-1": debit}
	var customers sync.WaitGroup
	kills := []func(){
		func() { b.program.Kill(); b.start() },
		func() { b.q.StopNATS(); b.q.StartNATS() },
		func() { b.q.StartWorker(); b.q.KillWorker() },
		func() { b.program.Kill(); b.q.KillWorker(); b.start(); b.q.StartWorker() },
	}
	for i, kill := range kills {
		for part, want := range parts {
			customers.Go(func() { b.postUntil(fmt.Sprintf("%s-%d", part, i), protocolqtest.Email(part, fmt.Sprint(i)), want) })
		}
		<-time.After(150 * time.Millisecond)
		if b.debits() == 4*(i+1) {
			t.Errorf("kill %d comes too late", i)
		}
		kill()
	}
	customers.Wait()
	b.program.Stop()
	if n := b.debits(); n != 4*len(kills) {
		t.Errorf("%d debits, want %d", n, 4*len(kills))
	}
}

// postUntil is a customer that posts until the service has an answer, and when the service says.
func (b *bench) postUntil(order, email string, want step) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		a, err := b.post(order, email)
		switch {
		case err == nil && a.Step == want:
			return
		case err == nil && a.Step != later:
			b.t.Errorf("%s: %+v", order, a)
			return
		}
		<-time.After(max(time.Duration(a.Ms)*time.Millisecond, 50*time.Millisecond))
	}
	b.t.Errorf("%s: nobody knows after a minute", order)
}

// Requests beyond the service's room are refused at once.
func TestFull(t *testing.T) {
	held, asked := make(chan struct{}), make(chan struct{})
	s := &service{within: time.Minute, room: make(chan struct{}, 1), log: slog.New(slog.DiscardHandler)}
	s.ask = func(context.Context, messages.Query) (messages.Result, error) {
		close(asked)
		<-held
		return messages.Result{Outcome: messages.NotSigned}, nil
	}
	rows, err := open(t.Context(), filepath.Join(t.TempDir(), "debits.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	s.store = rows
	first := make(chan *httptest.ResponseRecorder)
	post := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/debits/1?email=a@example.com", nil))
		return w
	}
	go func() { first <- post() }()
	<-asked
	if w := post(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	close(held)
	if w := <-first; w.Code != http.StatusConflict {
		t.Errorf("%d", w.Code)
	}
}
