// Where a process serves its probes, and where it does not start.

package probes_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/probes"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/ops"
	"protocolq/worker/querylog"
)

// free returns an address that nothing listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestOpen(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	side, err := probes.Open(t.Context(), &settings.Config{}, log)
	if err != nil || side.Listens() {
		t.Errorf("without the setting: %v", err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = probes.Open(t.Context(), &settings.Config{HTTPListen: taken.Addr().String()}, log)
	if end, ok := errors.AsType[*cli.Error](err); !ok || end.Code != cli.ExitOther || !strings.Contains(end.Hint, "--http-listen") {
		t.Errorf("where another listens: %v", err)
	}
}

func TestRun(t *testing.T) {
	cfg := &settings.Config{HTTPListen: free(t)}
	side, err := probes.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	nc := natstest.Connect(t, natstest.Serve(t, server.Options{}))
	go func() {
		defer close(ended)
		side.Run(ctx, probes.Shown{NATS: nc, Names: names, Kinds: []messages.Kind{messages.Log},
			Health:  func() ops.Health { return ops.OfRecorder(querylog.Stats{Started: true, Reading: true}, true, false) },
			Figures: ops.NewRecorder(func() querylog.Stats { return querylog.Stats{Rows: 7} })})
	}()
	for page, want := range map[string]string{"/readyz": "ready", "/metrics": "protocolq_querylog_rows_total 7"} {
		answer, err := http.Get("http://" + cfg.HTTPListen + page)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q in %.200s", page, err, want, text)
		}
	}
	end()
	<-ended
	if l, err := net.Listen("tcp", cfg.HTTPListen); err != nil {
		t.Errorf("the socket is still open: %v", err)
	} else {
		l.Close()
	}
}
