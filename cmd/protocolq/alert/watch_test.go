// What targets are sent, when, by which process, and how often while they accept nothing.

package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/ops"
	"protocolq/worker/record"
)

// receiver takes what is pushed, unless it is away.
type receiver struct {
	mu   sync.Mutex
	away bool
	got  []string // each as "status name about, …"
	at   []time.Time
}

// RoundTrip implements [http.RoundTripper].
func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, time.Now())
	if r.away {
		return nil, errors.New("connection refused")
	}
	body, _ := io.ReadAll(q.Body)
	var m struct {
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	var words []string
	for _, a := range m.Alerts {
		words = append(words, strings.TrimSpace(a.Status+" "+a.Labels["alertname"]+" "+a.Labels["about"]))
	}
	r.got = append(r.got, strings.Join(words, ", "))
	return httptest.NewRecorder().Result(), nil
}

func (r *receiver) setAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// world is a fleet whose partner is halted or not, and processes that watch it.
type world struct {
	t       *testing.T
	mu      sync.Mutex
	halted  bool
	records record.Memory
	log     bytes.Buffer
}

func (w *world) look(context.Context) (ops.Series, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := ops.Series{{Metric: "protocolq_members", Instance: "a"}: 2}
	if w.halted {
		s[ops.Figure{Metric: "protocolq_partner_halted", Instance: "a", Label: "partner", Value: "2088"}] = 1
	}
	return s, nil
}

func (w *world) halt(halted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halted = halted
}

// watch runs a Watch until the returned func is called.
func (w *world) watch(self string, to *receiver) (stop func()) {
	targets, err := ParseTargets([]byte("generic https://hooks.example.com/s3cret-path s3cret"))
	if err != nil {
		w.t.Fatal(err)
	}
	x := New(Options{Targets: targets, Prefix: "protocol", Self: self, Look: w.look, Records: &w.records, Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
	x.client.Transport = to
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() { x.Run(ctx); close(ended) }()
	return func() { cancel(); <-ended }
}

func (w *world) want(to *receiver, want ...string) {
	w.t.Helper()
	synctest.Wait()
	to.mu.Lock()
	defer to.mu.Unlock()
	if strings.Join(to.got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("%q, want %q", to.got, want)
	}
	if strings.Contains(w.log.String(), "s3cret") {
		w.t.Errorf("the log says what is secret:\n%s", &w.log)
	}
}

const (
	firing = "firing ProtocolqPartnerHalted 2088"
	over   = "resolved ProtocolqPartnerHalted 2088"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, to := &world{t: t}, &receiver{}
		stop := w.watch("one", to)
		defer stop()
		time.Sleep(time.Hour)
		w.want(to)
		w.halt(true)
		time.Sleep(time.Minute)
		w.want(to)
		time.Sleep(15 * time.Second)
		w.want(to, firing)
		time.Sleep(3 * time.Hour)
		w.want(to, firing)
		time.Sleep(2 * time.Hour)
		w.want(to, firing, firing) // once more
		w.halt(false)
		time.Sleep(time.Minute)
		w.want(to, firing, firing)
		time.Sleep(2 * time.Minute)
		w.want(to, firing, firing, over)
	})
}

// One of several processes sends an alert. When it ends, another takes over and repeats
// nothing.
func TestOneSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, to := &world{t: t}, &receiver{}
		stopOne := w.watch("one", to)
		time.Sleep(time.Second)
		stopTwo := w.watch("two", to)
		w.halt(true)
		time.Sleep(10 * time.Minute)
		w.want(to, firing)
		stopOne()
		time.Sleep(10 * time.Minute)
		w.want(to, firing)
		w.halt(false)
		time.Sleep(5 * time.Minute)
		w.want(to, firing, over)
		stopTwo()
	})
}

// A target that is away is tried less and less often and logged now and then. Once it is back,
// it is sent everything.
func TestAwayTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, to := &world{t: t}, &receiver{away: true}
		stop := w.watch("one", to)
		defer stop()
		w.halt(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(to.at); n < 6 || n > 12 {
			t.Errorf("%d requests in an hour", n)
		}
		if n := strings.Count(w.log.String(), "\n"); n < 3 || n > 12 || !strings.Contains(w.log.String(), "connection refused") {
			t.Errorf("%d lines:\n%s", n, &w.log)
		}
		to.setAway(false)
		time.Sleep(11 * time.Minute)
		w.want(to, firing)
	})
}

// Without the record no process knows which one sends, so none does, and the log says what to
// do.
func TestWithoutTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, to := &world{t: t, halted: true}, &receiver{}
		targets, _ := ParseTargets([]byte("generic https://hooks.example.com/"))
		x := New(Options{Targets: targets, Self: "one", Look: w.look, Records: nowhere{&w.records}, Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
		x.client.Transport = to
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
		defer cancel()
		x.Run(ctx)
		w.want(to)
		if n := strings.Count(w.log.String(), "provision --update"); n != 2 {
			t.Errorf("said %d times:\n%s", n, &w.log)
		}
	})
}

type nowhere struct{ record.Store }

func (nowhere) Put(context.Context, string, []byte, uint64) (uint64, error) {
	return 0, record.ErrAway
}
