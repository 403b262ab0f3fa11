// The server: four pages, read only.

package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what a Server needs.
type Options struct {
	// Listener is where it listens; nil: it does not, and says in the log alone how it stands.
	Listener net.Listener
	// Health is asked for each probe. It must wait for nothing. Needed.
	Health func() Health
	// Metrics are shown on /metrics; nil: there is no such page.
	Metrics prometheus.Gatherer
	Logger  *slog.Logger // discarded when nil
}

// Server answers probes and shows figures.
type Server struct{ o Options }

// New makes a Server. It starts nothing.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{o}
}

// Bounds on who reads: a page is small, and a reader that is slow must not hold much.
const (
	readTime  = 5 * time.Second
	writeTime = 20 * time.Second
	idleTime  = 2 * time.Minute
	headerMax = 16 << 10
	scrapes   = 4 // at once
	closeTime = time.Second
)

// Run serves until ctx ends, and watches over the health.
func (s *Server) Run(ctx context.Context) error {
	if s.o.Listener == nil {
		s.watch(ctx)
		return nil
	}
	server := &http.Server{Handler: s.Handler(), ReadTimeout: readTime, ReadHeaderTimeout: readTime,
		WriteTimeout: writeTime,
		IdleTimeout:  idleTime, MaxHeaderBytes: headerMax, ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(),
			slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.o.Listener) }()
	s.o.Logger.Info("http listening", "addr", s.o.Listener.Addr().String())
	s.watch(ctx)
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if server.Shutdown(within) != nil {
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Handler has the pages.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.probe(Health.Live))
	mux.HandleFunc("GET /readyz", s.probe(Health.Ready))
	mux.HandleFunc("GET /startupz", s.probe(func(h Health) bool { return h.Started }))
	if s.o.Metrics != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.o.Metrics, promhttp.HandlerOpts{
			MaxRequestsInFlight: scrapes, Timeout: writeTime / 2, EnableOpenMetrics: true,
			ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(),
				slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError}))
	}
	return mux
}

// verbose is what a probe answers with ?verbose.
type verbose struct {
	Status string `json:"status"`
	Parts  []Part `json:"parts"`
}

// probe answers 200 where well holds, else 503.
func (s *Server) probe(well func(Health) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := s.o.Health()
		code := http.StatusOK
		if !well(h) {
			code = http.StatusServiceUnavailable
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.URL.Query().Has("verbose") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(verbose{h.Status(), h.Parts})
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		_, _ = fmt.Fprintln(w, h.line())
	}
}

// line is a Health in one line: its status, and each part that is not well.
func (h Health) line() string {
	words := []string{h.Status()}
	for _, p := range h.Parts {
		if p.State != OK {
			words = append(words, fmt.Sprintf("%s %s: %s", p.Name, p.State, p.Detail))
		}
	}
	return strings.Join(words, "; ")
}
