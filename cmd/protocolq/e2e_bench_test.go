//go:build unix

// The load generator end to end: what it counts is what the practice gateway saw.
package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"protocolq/cmd/protocolq/bench/load"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/messages"
)

// On a busy machine an ask may take long. --timeout is longer still, as bench ends with exit
// code 1 if it gives up an ask.
func TestBenchCountsWhatTheGatewaySaw(t *testing.T) {
	t.Parallel()
	_, s, _ := dev(t, patient...)
	p := launch(t, nil, "bench", "--nats", s.nats, "--rate", "50", "--for", "2s", "--warm", "0s", "--timeout", "1m", "-o", "json")
	if code := p.exit(); code != cli.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	r := benchResult(t, p)
	// A machine that stalls sends fewer, and the rest is reported as unsent.
	if r.Asked+r.Unsent != 100 || r.Asked < 50 || r.Answered != r.Asked || r.Sources[string(messages.Asked)] != r.Asked || r.Unanswered+r.Outstanding != 0 || r.Latency.P50 == 0 {
		t.Errorf("%+v", r)
	}
	sums := s.askedOnce()
	if sums.Calls != uint64(r.Asked)+1 || sums.By["unlisted"]+sums.By["ILLEGAL_WEATHER"] != 1 { // one more: the question that bench asks first
		t.Errorf("the gateway saw %+v", sums)
	}
	said := int64(0) // answers with one of the two codes; which of them is random
	for _, code := range []string{"NO_SIGN_CUSTOMER", "NO_NORMAL_SIGN_CUSTOMER"} {
		seen := int64(sums.By[code])
		if said += seen; seen != r.Codes[code] {
			t.Errorf("%s: counted %d, the gateway said it %d times", code, r.Codes[code], seen)
		}
	}
	if said == 0 {
		t.Error("neither code was said")
	}
}

// ^C ends bench early, with the result so far. If there is no result yet, bench reports what
// ended it.
func TestBenchEndsEarly(t *testing.T) {
	t.Parallel()
	_, s, _ := dev(t)
	p := launch(t, nil, "bench", "--nats", s.nats, "--rate", "20", "--for", "1h", "--warm", "0s", "--timeout", "1m", "-o", "json")
	clitest.Eventually(t, "twenty calls", func() bool { return s.stats().Calls > 20 })
	p.signal(syscall.SIGINT)
	if code := p.exit(); code != cli.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	r := benchResult(t, p)
	if !r.Cut || r.Answered == 0 || r.Answered+r.Outstanding != r.Asked {
		t.Errorf("%+v", r)
	}
	before := s.stats().Calls + 5*uint64(r.Outstanding) // each outstanding ask of the first run may still make 5 calls
	p = launch(t, nil, "bench", "--nats", s.nats, "--rate", "20", "--for", "1h", "--warm", "1h", "--timeout", "1m", "-o", "json")
	clitest.Eventually(t, "calls of the warm-up", func() bool { return s.stats().Calls > before+5 })
	p.signal(syscall.SIGINT)
	if code := p.exit(); code != cli.ExitSignalled || p.out.String() != "" || !strings.HasSuffix(p.err.String(), "protocolq: stopped by a signal\n") {
		t.Errorf("in the warm-up: exit code %d, %s%s", code, p.out, p.err)
	}
}

func benchResult(t *testing.T, p *process) *load.Result {
	t.Helper()
	r := &load.Result{}
	if err := json.Unmarshal([]byte(p.out.String()), r); err != nil {
		t.Fatalf("%v: %s", err, p.out)
	}
	return r
}
