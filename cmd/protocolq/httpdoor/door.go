// The door: its options, its routes, and what every request passes.

package httpdoor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"protocolq/messages"
)

// fleet is the workers, as an asker sees them.
type fleet interface {
	// Ask waits for the answer to one query until ctx ends.
	Ask(ctx context.Context, asker string, q messages.Query) (messages.Result, error)
	// Submit stores one query, which is then answered by the asker's durable replies.
	Submit(ctx context.Context, asker string, q messages.Query) error
}

// options are what a door needs.
type options struct {
	Askers []Asker
	Fleet  fleet
	Memory memory
	Probes http.Handler // answers /livez and /readyz
	Seen   func(route string, status int, took time.Duration)
	Logger *slog.Logger // discarded when nil
}

// door answers requests. It keeps nothing of a query after its request.
type door struct {
	o       options
	callers atomic.Pointer[map[tokenHash]*caller] // of the present askers; see admit
	// hurried ends when the door must close and no request may wait on; see hurry.
	hurried context.Context
	hurry   context.CancelFunc
}

// caller is an asker and what it uses of its share.
type caller struct {
	Asker
	queries *rate.Limiter
	looks   *rate.Limiter // at answers
	waiting chan struct{} // one for each of its requests that waits
}

// looksPerQuery is how many looks at answers an asker has for each query that it may ask.
const looksPerQuery = 10

// newDoor makes a door. It starts nothing.
func newDoor(o options) (*door, error) {
	if len(o.Askers) == 0 || o.Fleet == nil || o.Memory == nil {
		return nil, errors.New("a door needs askers, a fleet and a memory")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Seen == nil {
		o.Seen = func(string, int, time.Duration) {}
	}
	d := &door{o: o}
	d.callers.Store(&map[tokenHash]*caller{})
	d.hurried, d.hurry = context.WithCancel(context.Background())
	d.admit(o.Askers)
	return d, nil
}

// admit makes these the askers: tokens of others are invalid from now on. Askers that were there
// before keep what they have used of their shares.
func (d *door) admit(askers []Asker) {
	before := map[string]*caller{}
	for _, c := range *d.callers.Load() {
		before[c.Name] = c
	}
	callers := map[tokenHash]*caller{}
	for _, a := range askers {
		c := &caller{Asker: a, queries: rate.NewLimiter(rate.Limit(a.Rate), a.Burst),
			looks: rate.NewLimiter(rate.Limit(looksPerQuery*a.Rate),
				looksPerQuery*a.Burst), waiting: make(chan struct{}, a.Waiting)}
		if had := before[a.Name]; had != nil && had.Rate == a.Rate && had.Burst == a.Burst && had.Waiting == a.Waiting {
			c.queries, c.looks, c.waiting = had.queries, had.looks, had.waiting
		}
		for _, h := range a.hashes {
			callers[h] = c
		}
	}
	d.callers.Store(&callers)
}

// route is one line of the door's table.
type route struct {
	method, path string
	bytes        int64 // of the body at most
	open         bool  // it needs no token
	serve        func(*door, *caller, *http.Request) answer
}

// routes are all that the door answers, except probes.
func routes() []route {
	return []route{
		{method: http.MethodPost, path: "/v1/queries", bytes: messages.MaxMessage, serve: (*door).postQuery},
		{method: http.MethodGet, path: "/v1/queries/{id}", serve: (*door).getQuery},
		{method: http.MethodPost, path: "/v1/batches", bytes: batchBytes, serve: (*door).postBatch},
		{method: http.MethodGet, path: "/v1/batches/{id}", serve: (*door).getBatch},
		{method: http.MethodGet, path: "/v1/undelivered", serve: (*door).getUndelivered},
		{method: http.MethodGet, path: "/v1/openapi.yaml", open: true, serve: (*door).getDocument},
	}
}

// handler has all routes. Any other path also gets a problem as the response.
func (d *door) handler() http.Handler {
	mux := http.NewServeMux()
	allowed := map[string]string{}
	for _, rt := range routes() {
		mux.HandleFunc(rt.method+" "+rt.path, d.pass(rt))
		if allowed[rt.path] != "" {
			allowed[rt.path] += ", "
		}
		allowed[rt.path] += rt.method
	}
	for path, methods := range allowed {
		mux.HandleFunc(path, d.pass(route{path: path, open: true, serve: func(*door, *caller, *http.Request) answer {
			return because(wrongMethod, "use "+methods).with("Allow", methods)
		}}))
	}
	mux.HandleFunc("/", d.pass(route{path: "other", open: true, serve: func(*door, *caller, *http.Request) answer {
		return because(notFound, "see /v1/openapi.yaml for what there is")
	}}))
	if d.o.Probes != nil {
		mux.Handle("GET /livez", d.o.Probes)
		mux.Handle("GET /readyz", d.o.Probes)
	}
	return mux
}

// pass is what every request goes through: its token, its time to be read, its line in the log.
func (d *door) pass(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		// Only reading the body has this time limit, even if the body is not used: a deadline that stayed
		// would end a long wait as if the caller had left.
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(began.Add(bodyTime))
		r.Body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, rt.bytes),
			whole: func() { _ = control.SetReadDeadline(time.Time{}) }}
		within, cancel := context.WithTimeout(r.Context(), answerTime)
		defer cancel()
		r = r.WithContext(withTrace(within, r.Header.Get(messages.Traceparent)))
		var c *caller
		a, ok := answer{}, true
		if !rt.open {
			c, a, ok = d.known(r)
		}
		if ok {
			a = d.guarded(rt, c, r)
		}
		a.write(w)
		took := time.Since(began)
		d.o.Seen(rt.path, a.status, took)
		d.record(r.Context(), rt, c, a.status, took)
	}
}

// guarded serves a request. A panic ends only that request.
func (d *door) guarded(rt route, c *caller, r *http.Request) (a answer) {
	defer func() {
		if fault := recover(); fault != nil { // its value may be personal
			d.o.Logger.ErrorContext(r.Context(), "request failed by a mistake of the program", "route", rt.path,
				"type", fmt.Sprintf("%T", fault), "stack", string(debug.Stack()))
			a = because(internalFault, "ask again; if it lasts, report it")
		}
	}()
	return rt.serve(d, c, r)
}

// known finds the caller by the token.
func (d *door) known(r *http.Request) (*caller, answer, bool) {
	token, ok := bearer(r.Header)
	c := (*d.callers.Load())[hashOf(token)]
	if !ok || c == nil {
		return nil, because(unauthorized,
			"send Authorization: Bearer and a token that the operators have given you").with("WWW-Authenticate",
			"Bearer"), false
	}
	return c, answer{}, true
}

// record logs one request, with nothing that its caller wrote.
func (d *door) record(ctx context.Context, rt route, c *caller, status int, took time.Duration) {
	level, asker := slog.LevelDebug, ""
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case status >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	if c != nil {
		asker = c.Name
	}
	d.o.Logger.Log(ctx, level, "request", "route", strings.TrimSpace(rt.method+" "+rt.path), "asker", asker, "status",
		status, "dur_ms", took.Milliseconds())
}
