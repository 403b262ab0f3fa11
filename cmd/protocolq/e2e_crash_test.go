//go:build unix

// Workers that die or freeze during a call: another worker answers, and what comes too late
// changes nothing.

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/messages"
	"protocolq/worker"
)

// journalled waits until n asks are in the journal, so that all of them survive the workers
// that took them in.
func (s *stand) journalled(n uint64) {
	s.t.Helper()
	clitest.Eventually(s.t, fmt.Sprintf("%d asks in the journal", n), func() bool {
		of := s.sums()
		return of.Queries == n && of.Pending == 0
	})
}

// parked waits until n asks wait without a call under way.
func (s *stand) parked(n int) {
	s.t.Helper()
	clitest.Eventually(s.t, fmt.Sprintf("%d asks parked", n), func() bool { return s.sums().Parked == n })
}

// sums adds up those counts of the workers that tests wait for.
func (s *stand) sums() (sum worker.Stats) {
	s.t.Helper()
	for _, data := range s.serviceUntil("STATS", 50*time.Millisecond) {
		var stats struct {
			Endpoints []struct{ Data worker.Stats } // each endpoint has the counts of the whole worker
		}
		if err := json.Unmarshal(data, &stats); err != nil {
			s.t.Fatal(err)
		}
		of := stats.Endpoints[0].Data
		sum.Queries, sum.Pending, sum.Parked = sum.Queries+of.Queries, sum.Pending+of.Pending, sum.Parked+of.Parked
	}
	return sum
}

// left is what the gateway records for a call whose caller has gone.
const left = "client-left"

func TestKill(t *testing.T) {
	t.Parallel()
	const keys, askers, apart = 45, 3, 2 * time.Millisecond
	const lease, call = 7 * time.Second, 2500 * time.Millisecond
	s := newStand(t, standOptions{Simulator: []string{"--latency", call.String()},
		Worker: []string{"--lease", lease.String(), "--call-timeout", "5s"}})
	fleet := s.workers(3)
	c := newCrowd(s)
	begun := time.Now()
	for i := range keys * askers {
		c.ask(messages.Query{UserEmail: person(parts[i%keys%len(parts)], i%keys)})
		<-time.After(apart) // sent all at once, they would be stored together, and might all go to one worker
	}
	clitest.Eventually(t, "a call in flight for each key", func() bool { return s.stats().InFlight == keys })
	s.journalled(keys * askers)
	// The time that this machine needs to begin these calls. It needs as much once more after
	// the kill.
	slow := min(time.Since(begun)-keys*askers*apart, call)
	fleet[1].signal(syscall.SIGKILL)
	killed := time.Now()
	bound := lease + 6*time.Second + call + slow // 3 s of silence before the seal, 2 s beyond the lease
	all := everybody(t, c)
	took := time.Since(killed)
	t.Logf("answered %v after the kill; bound %v", took.Round(time.Millisecond), bound)
	if took > 20*bound { // a busy machine may stall for long
		t.Errorf("the last answer came %v after the kill", took)
	}
	sums, lost := s.settled(), 0
	calls := callsOf(s.calls())
	for key, list := range calls {
		n := 0
		for i, one := range list {
			if one.Answer == left {
				n++
			}
			if i > 0 && one.Started < list[i-1].Ended && list[i-1].Answer != left {
				t.Errorf("%s: two calls at once: %+v", key, list)
			}
		}
		if lost += n; n > 1 || len(list) != n+1 {
			t.Errorf("%s: asked %d times, %d of them cut by the kill: %+v", key, len(list), n, list)
		}
	}
	if lost == 0 || lost == keys {
		t.Fatalf("the kill cut %d of %d calls: not the test that was meant", lost, keys)
	}
	if sums.Doubles != 0 || sums.AfterConclusive != 0 || int(sums.Calls) != keys+lost {
		t.Errorf("%d calls for %d keys of which %d were cut: %+v", sums.Calls, keys, lost, sums)
	}
	for _, a := range all {
		if r := a.answers[0]; r.Outcome != outcomes[partOf(a.q.UserEmail)] {
			t.Errorf("%s: told %s %s", a.q.UserEmail, r.Outcome, r.Code)
		}
	}
	t.Logf("%d keys, %d calls cut by the kill, %d calls in all; %v", keys, lost, sums.Calls, told(all))
}

// TestFreeze stops a worker while its call is under way. The answer to that call would be
// not_signed; the worker that takes over receives signed.
func TestFreeze(t *testing.T) {
	t.Parallel()
	const lease = 3 * time.Second
	s := newStand(t, standOptions{Simulator: []string{"--latency", "1s"},
		Worker: []string{"--lease", lease.String(), "--call-timeout", "1500ms"}})
	frozen := s.workers(1)[0]
	c := newCrowd(s)
	question := messages.Query{UserEmail: person("not-signed-1", "frozen"), Key: "the same request"}
	for range 5 {
		c.ask(question)
	}
	s.journalled(5)
	clitest.Eventually(t, "the call in flight", func() bool { return s.stats().InFlight == 1 })
	frozen.signal(syscall.SIGSTOP)
	stopped := time.Now()
	s.workers(1)
	before := everybody(t, c)
	t.Logf("answered %v after the freeze", time.Since(stopped).Round(time.Millisecond))
	frozen.signal(syscall.SIGCONT)
	clitest.Eventually(t, "the frozen worker sealed, and back as another", func() bool {
		return strings.Contains(frozen.err.String(), "no member any more, joining again")
	})
	for range 10 { // some reach the worker that was frozen
		c.ask(question)
	}
	everybody(t, c)
	frozen.stop() // by now it has sent every reply that it still had
	if err := c.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	all := everybody(t, c)
	run := before[0].answers[0].Run
	for _, a := range all {
		if r := a.answers[0]; r.Outcome != messages.Signed || r.Run != run {
			t.Errorf("told %s of run %s, want signed of run %s", r.Outcome, r.Run, run)
		}
	}
	s.settled()
	calls := s.calls()
	if len(calls) != 2 || calls[0].Answer != "not-signed-1" && calls[0].Answer != "not-signed" {
		t.Errorf("the gateway saw %+v", calls)
	}
	if strings.Contains(frozen.err.String(), `"level":"ERROR"`) {
		t.Error("the frozen worker ended with errors")
	}
}
