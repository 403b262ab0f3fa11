//go:build unix

// protocolq dev as scripts use it: it is ready at once, everything answers, and it leaves
// behind only what was asked for.

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// dev starts a dev on free ports, and returns it with its URLs and the time until it printed
// them.
func dev(t *testing.T, args ...string) (*process, *stand, time.Duration) {
	t.Helper()
	began := time.Now()
	p := launch(t, nil, append([]string{"dev", "-o", "json", "--nats-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"}, args...)...)
	urls := p.urls()
	took := time.Since(began)
	return p, &stand{t: t, nats: urls["nats"], gateway: urls["gateway"], log: urls["gateway_log"], page: urls["console"]}, took
}

func TestDev(t *testing.T) {
	fastest := time.Hour
	for range 3 { // other tests may keep the machine busy
		p, s, took := dev(t)
		fastest = min(fastest, took)
		if r := s.answer(messages.Query{UserEmail: person("signed", "dev")}); r.Outcome != messages.Signed {
			t.Errorf("answered %+v", r)
		}
		answer, err := http.Get(s.gateway)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if sums := s.askedOnce(); answer.StatusCode != http.StatusOK || sums.Conclusive != 1 || sums.By["signed"] != 1 {
			t.Errorf("the gateway says %s and saw %+v", answer.Status, sums)
		}
		drained := p.stop()
		t.Logf("ready in %v, drained in %v", took.Round(time.Millisecond), drained.Round(time.Millisecond))
		if left, err := os.ReadDir(p.cmd.Dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if fastest < soon {
			break
		}
	}
	if fastest >= soon {
		t.Errorf("ready only after %v, want %v", fastest, soon)
	}
}

// TestDevKeepsData: an answer to a given idempotency key survives a restart of the whole dev.
// Nothing is asked again.
func TestDevKeepsData(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	ask := func(s *stand) (r messages.Result) {
		p := launch(t, nil, "query", "--nats", s.nats, "--email", person("refund-only", "kept"), "--key", "order 18", "-o", "json")
		if code := p.exit(); code != cli.ExitOK {
			t.Errorf("query: exit code %d", code)
		}
		if err := json.Unmarshal([]byte(p.out.String()), &r); err != nil {
			t.Errorf("query printed %q: %v", p.out, err)
		}
		return r
	}
	p, s, _ := dev(t, "--data", data)
	first := ask(s)
	p.stop()
	p, s, _ = dev(t, "--data", data)
	again := ask(s)
	if first.Source != messages.Asked || again.Source != messages.Remembered || again.Run != first.Run || again.Outcome != messages.Signed {
		t.Errorf("first %+v, after the restart %+v", first, again)
	}
	if sums := s.settled(); sums.Calls != 0 {
		t.Errorf("%d calls after the restart", sums.Calls)
	}
	p.stop()
	if left, err := os.ReadDir(p.cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind beside the data: %v, %v", left, err)
	}
}
