// What makes a process unready, what only degrades it, and how probes answer.

package ops_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"protocolq/worker"
	"protocolq/worker/ops"
	"protocolq/worker/querylog"
)

func TestOfWorker(t *testing.T) {
	for name, c := range map[string]struct {
		of    worker.Condition
		want  string
		ready bool
	}{
		"new":          {worker.Condition{}, "starting", false},
		"no member":    {worker.Condition{Connected: true}, "starting", false},
		"well":         {worker.Condition{Connected: true, Opened: true, Member: true}, "ready", true},
		"cut off":      {worker.Condition{Opened: true, Member: true}, "unready", false},
		"gateway away": {worker.Condition{Connected: true, Opened: true, Member: true, Degraded: map[string]string{"gateway": "x"}}, "degraded", true},
		"sealed":       {worker.Condition{Connected: true, Opened: true}, "unready", false},
		"stuck":        {worker.Condition{Connected: true, Opened: true, Member: true, Stuck: 31 * time.Second}, "unready", false},
		"both":         {worker.Condition{Opened: true, Member: true, Degraded: map[string]string{"gateway": "x"}}, "unready", false},
		"draining":     {worker.Condition{Connected: true, Opened: true, Member: true, Draining: true}, "draining", false},
	} {
		h := ops.OfWorker(c.of)
		if h.Status() != c.want || h.Ready() != c.ready {
			t.Errorf("%s: %s, ready %v; want %s, %v", name, h.Status(), h.Ready(), c.want, c.ready)
		}
	}
}

func TestOfRecorder(t *testing.T) {
	reading := querylog.Stats{Started: true, Reading: true}
	away := reading
	away.Down = true
	for name, c := range map[string]struct {
		of        querylog.Stats
		connected bool
		draining  bool
		want      string
	}{
		"new":           {querylog.Stats{}, true, false, "starting"},
		"well":          {reading, true, false, "ready"},
		"database away": {away, true, false, "degraded"},
		"stream away":   {querylog.Stats{Started: true}, true, false, "unready"},
		"cut off":       {reading, false, false, "unready"},
		"ending":        {reading, true, true, "draining"},
	} {
		if h := ops.OfRecorder(c.of, c.connected, c.draining); h.Status() != c.want {
			t.Errorf("%s: %s, want %s", name, h.Status(), c.want)
		}
	}
}

func TestOfAsker(t *testing.T) {
	for name, c := range map[string]struct {
		connected, draining bool
		want                string
	}{
		"well":    {true, false, "ready"},
		"cut off": {false, false, "unready"},
		"ending":  {true, true, "draining"},
	} {
		if h := ops.OfAsker(c.connected, c.draining); h.Status() != c.want {
			t.Errorf("%s: %s, want %s", name, h.Status(), c.want)
		}
	}
}

func TestProbes(t *testing.T) {
	var h ops.Health
	handler := ops.New(ops.Options{Health: func() ops.Health { return h }}).Handler()
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	well := worker.Condition{Connected: true, Opened: true, Member: true}
	degraded := well
	degraded.Degraded = map[string]string{"gateway": "no call was answered"}
	draining, stuck := well, well
	draining.Draining, stuck.Stuck = true, 31*time.Second
	for _, c := range []struct {
		of                   worker.Condition
		live, ready, started int
		says                 string
	}{
		{worker.Condition{}, 200, 503, 503, "starting; nats down: not connected; fleet down: not in the fleet yet: the journal is being read, or is not there"},
		{well, 200, 200, 200, "ready"},
		{degraded, 200, 200, 200, "degraded; gateway degraded: no call was answered"},
		{worker.Condition{Opened: true, Member: true}, 200, 503, 200, "unready; nats down: not connected"},
		{worker.Condition{Connected: true, Opened: true}, 200, 503, 200, "unready; fleet down: not in the fleet any more: it joins again"},
		{stuck, 503, 503, 200, "unready; decisions down: none for 31s: restart it"},
		{draining, 200, 503, 200, "draining"},
	} {
		h = ops.OfWorker(c.of)
		for path, want := range map[string]int{"/livez": c.live, "/readyz": c.ready, "/startupz": c.started} {
			code, body := get(path)
			if code != want || body != c.says {
				t.Errorf("%s of %+v: %d %q, want %d %q", path, c.of, code, body, want, c.says)
			}
			code, body = get(path + "?verbose")
			var v struct {
				Status string     `json:"status"`
				Parts  []ops.Part `json:"parts"`
			}
			if err := json.Unmarshal([]byte(body), &v); err != nil || code != want || v.Status != h.Status() || len(v.Parts) != len(h.Parts) {
				t.Errorf("%s?verbose: %d %s, %v", path, code, body, err)
			}
		}
	}
	if code, _ := get("/metrics"); code != http.StatusNotFound {
		t.Errorf("/metrics without metrics: %d", code)
	}
	if code, _ := get("/"); code != http.StatusNotFound {
		t.Errorf("/: %d", code)
	}
	w := httptest.NewRecorder()
	if handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/readyz", nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestAddress(t *testing.T) {
	for setting, want := range map[string]struct{ listens, reach string }{
		":8080":            {"127.0.0.1:8080", "127.0.0.1:8080"},
		"0.0.0.0:8080":     {"0.0.0.0:8080", "127.0.0.1:8080"},
		"[::]:8080":        {"[::]:8080", "[::1]:8080"},
		"10.1.2.3:80":      {"10.1.2.3:80", "10.1.2.3:80"},
		"localhost:0":      {"localhost:0", "localhost:0"},
		"8080":             {},
		":http":            {},
		":65536":           {},
		"http://host:8080": {},
		"":                 {},
	} {
		listens, err := ops.Address(setting)
		reach, other := ops.Reach(setting)
		if listens != want.listens || reach != want.reach || (err == nil) != (want.listens != "") || (other == nil) != (err == nil) {
			t.Errorf("%q: %q, %v; %q, %v", setting, listens, err, reach, other)
		}
	}
}
