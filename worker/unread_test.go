// What a worker's log says about a response that was not an answer.

package worker_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ended finds the line of the run of this id.
func (l *lines) ended(run string) map[string]any {
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == "run ended" && fields["run"] == run {
			return fields
		}
	}
	return nil
}

// Content type and length are in the log, the body never is.
func TestLogOfUnreadAnswers(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	log := &lines{}
	f.start(func(o *worker.Options) {
		o.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for part, want := range map[string]struct {
		status float64 // as in JSON; 0: the line has nothing of the response
		kind   string
	}{
		"fault-html":        {200, "text/html; charset=utf-8"},
		"fault-503":         {503, "text/html; charset=utf-8"},
		"fault-garbage":     {200, "text/xml"},
		"p":                 {200, "text/xml"},
		"signed":            {},
		"fault-html-1":      {}, // the second call was answered
		"system-error":      {},
		"fault-half-body-1": {},
	} {
		r := f.ask(messages.Query{UserEmail: email(part, "log")})
		var line map[string]any
		within(t, "the line of "+part, func() bool { line = log.ended(r.Run); return line != nil })
		_, there := line["content_type"]
		if want.status == 0 && there {
			t.Errorf("%s: %v", part, line)
		}
		if want.status == 0 {
			continue
		}
		if n, ok := line["bytes"].(float64); !ok || n <= 0 || line["content_type"] != want.kind || line["http_status"] != want.status {
			t.Errorf("%s: %v", part, line)
		}
	}
	if s := log.String(); strings.Contains(s, "<html") || strings.Contains(s, "Service Unavailable") || strings.Contains(s, "<alipay") {
		t.Error("a body is in the log")
	}
}
