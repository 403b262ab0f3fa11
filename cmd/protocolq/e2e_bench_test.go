//go:build unix

// The load generator end to end: what it counts is what the practice gateway saw.
package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"protocolq/cmd/protocolq/bench"
	"protocolq/messages"
)

// What takes long here is a busy machine: --timeout is longer than any of it, as an ask given up ends with exit code 1.
func TestBenchCountsWhatTheGatewaySaw(t *testing.T) {
	t.Parallel()
	_, s, _ := dev(t, patient...)
	p := launch(t, nil, "bench", "--nats", s.nats, "--rate", "50", "--for", "2s", "--warm", "0s", "--timeout", "1m", "-o", "json")
	if code := p.exit(60 * time.Second); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	r := benchResult(t, p)
	if r.Asked != 100 || r.Answered != 100 || r.Sources[string(messages.Asked)] != 100 || r.Unanswered+r.Unsent+r.Outstanding != 0 || r.Latency.P50 == 0 {
		t.Errorf("%+v", r)
	}
	sums := s.askedOnce()
	if sums.Calls != 101 || sums.By["unlisted"]+sums.By["ILLEGAL_WEATHER"] != 1 { // and the question that goes first
		t.Errorf("the gateway saw %+v", sums)
	}
	for _, code := range []string{"NO_SIGN_CUSTOMER", "NO_NORMAL_SIGN_CUSTOMER"} {
		if seen := int64(sums.By[code]); seen == 0 || seen != r.Codes[code] {
			t.Errorf("%s: counted %d, the gateway said it %d times", code, r.Codes[code], seen)
		}
	}
}

// ^C ends it early, with the result so far; where that is nothing it says so.
func TestBenchEndsEarly(t *testing.T) {
	t.Parallel()
	_, s, _ := dev(t)
	p := launch(t, nil, "bench", "--nats", s.nats, "--rate", "20", "--for", "1h", "--warm", "0s", "--timeout", "1m", "-o", "json")
	eventually(t, time.Minute, "twenty calls", func() bool { return s.stats().Calls > 20 })
	p.signal(syscall.SIGINT)
	if code := p.exit(20 * time.Second); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	if r := benchResult(t, p); !r.Cut || r.Answered == 0 || r.Answered+r.Outstanding != r.Asked {
		t.Errorf("%+v", r)
	}
	before := s.stats().Calls
	p = launch(t, nil, "bench", "--nats", s.nats, "--rate", "20", "--for", "1h", "--warm", "1h", "--timeout", "1m", "-o", "json")
	eventually(t, time.Minute, "calls of the warm-up", func() bool { return s.stats().Calls > before+5 })
	p.signal(syscall.SIGINT)
	if code := p.exit(20 * time.Second); code != exitNoAnswer || p.out.String() != "" || !strings.Contains(p.err.String(), "ended before anything was measured") {
		t.Errorf("in the warm-up: exit code %d, %s%s", code, p.out, p.err)
	}
}

func benchResult(t *testing.T, p *process) *bench.Result {
	t.Helper()
	r := &bench.Result{}
	if err := json.Unmarshal([]byte(p.out.String()), r); err != nil {
		t.Fatalf("%v: %s", err, p.out)
	}
	return r
}
