//go:build unix && upgrade

// An upgrade under load, and the way back: workers of the last release run beside those of this
// tree. .ci/upgrade builds the last release, and names its program in PROTOCOLQ_PREVIOUS.

package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/messages"
)

func TestUpgrade(t *testing.T) {
	previous := os.Getenv("PROTOCOLQ_PREVIOUS")
	if previous == "" {
		t.Fatal("PROTOCOLQ_PREVIOUS names no program of the last release: .ci/upgrade builds it")
	}
	s := newStand(t, standOptions{Program: previous, Simulator: []string{"--latency", "250ms", "--jitter", "250ms"}, Worker: []string{"--retry-budget", "100000"}})
	older, newer := func() *process { return s.beginProgram(previous).ready() }, func() *process { return s.begin().ready() }
	fleet := []*process{older(), older()}
	c := newCrowd(s)
	stop := steadily(t, c, "u", 20*time.Millisecond, "signed", "not-signed", "debit-only", "system-error-1", "signed")
	// turn waits until the fleet as it is now has done its share of the work.
	turn := func(now string) {
		t.Helper()
		began := s.stats().Calls
		clitest.Eventually(t, "calls of "+now, func() bool { return s.stats().Calls > began+100 })
		t.Logf("%s: %d calls", now, s.stats().Calls-began)
	}
	replace := func(i int, by func() *process) {
		t.Helper()
		next := by()
		fleet[i].stop()
		fleet[i] = next
	}
	turn("two of the last release")
	if code := launch(t, nil, "provision", "--nats", s.nats, "--update").exit(); code != cli.ExitOK {
		t.Fatalf("provision --update: exit code %d", code)
	}
	turn("the same on the new streams")
	replace(0, newer)
	turn("one of each")
	replace(1, newer)
	turn("two of this tree")
	replace(0, older)
	turn("one of each, on the way back")
	asks := stop()
	all := everybody(t, c)
	counts := told(all)
	if len(all) != asks || counts["unknown"]+counts["refused"] != 0 {
		t.Errorf("%d of %d asks answered, %v", len(all), asks, counts)
	}
	// What a worker of one version has stored and not answered, the other version answers,
	// whichever dies.
	submitted := s.submitAll(t, 40)
	fleet[0].signal(os.Kill)
	fleet[0] = newer()
	submitted += s.submitAll(t, 40)
	fleet[1].signal(os.Kill)
	fleet[1] = older()
	clitest.Eventually(t, "all durable replies", func() bool { return s.messages(messages.Replies) >= uint64(submitted) })
	sums := s.settled()
	if sums.AfterConclusive != 0 || sums.Overlapping != 0 || sums.Untracked != 0 || sums.Dropped != 0 {
		t.Errorf("asked twice: %+v", sums)
	}
	t.Logf("%d asks and %d submitted, %d calls; p50 %v, p99 %v; %v", asks, submitted, sums.Calls, percentile(all, 50), percentile(all, 99), counts)
}

// submitAll submits n queries whose replies are durable.
func (s *stand) submitAll(t *testing.T, n int) int {
	t.Helper()
	nc := s.connect()
	for i := range n {
		body := fmt.Appendf(nil, `{"user_email":%q,"reply_to":"protocol.reply.upgrade"}`, person("signed", fmt.Sprintf("s%d-%d", time.Now().UnixNano(), i)))
		if _, err := nc.Request(messages.DefaultPrefix+".submit", body, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	return n
}
