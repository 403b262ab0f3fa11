//go:build unix

// One call per key over three worker processes, counted by the gateway itself.

package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// TestOneKey: ten thousand askers ask the same question at once.
func TestOneKey(t *testing.T) {
	const askers, connections = 10_000, 10
	s := newStand(t, standOptions{Simulator: []string{"--latency", "200ms"}, Worker: patient})
	s.workers(3)
	crowds := make([]*crowd, connections)
	for i := range crowds {
		crowds[i] = newCrowd(s)
	}
	email := person("debit-only", "all")
	for i := range askers {
		crowds[i%connections].ask(messages.Query{UserEmail: email})
	}
	all := everybody(t, crowds...)
	first := common(all[0].answers[0])
	if first.Outcome != messages.Signed || first.Attempts != 1 || first.Run == "" {
		t.Errorf("answered %+v", first)
	}
	for _, a := range all {
		if d := cmp.Diff(first, common(a.answers[0])); d != "" {
			t.Fatalf("two askers heard different things: %s", d)
		}
	}
	counts := told(all)
	if len(all) != askers || counts["asked"] != 1 {
		t.Errorf("%d answers, of which %v", len(all), counts)
	}
	if sums := s.askedOnce(); sums.Calls != 1 || sums.Conclusive != 1 {
		t.Errorf("%d askers made %d calls", askers, sums.Calls)
	}
	call := s.calls()[0]
	t.Logf("%d askers, 1 call, begun after %v: p50 %v, p99 %v; %v", askers,
		time.UnixMicro(call.Started).Sub(all[0].sent).Round(time.Millisecond), percentile(all, 50), percentile(all, 99), counts)
}

// outcomes are the outcomes that the parts must have.
var outcomes = map[string]messages.Outcome{
	"signed": messages.Signed, "debit-only": messages.Signed, "refund-only": messages.Signed,
	"not-signed": messages.NotSigned, "no-sign-customer": messages.NotSigned, "no-normal-sign-customer": messages.Abnormal,
}

var parts = []string{"signed", "debit-only", "refund-only", "not-signed", "no-sign-customer", "no-normal-sign-customer"}

// TestMixedKeys: thousands of keys, some asked again at any time, while the gateway fails now and
// then.
func TestMixedKeys(t *testing.T) {
	const asks, keys, connections = 3000, 2100, 4
	s := newStand(t, standOptions{Simulator: []string{"--latency", "20ms", "--jitter", "40ms", "--fault", "system-error:0.05", "--seed", "5"}, Worker: patient})
	s.workers(3)
	draw := rand.New(rand.NewPCG(5, 5))
	order := make([]int, asks) // every key once, then some of them again
	for i := range order {
		if order[i] = i; i >= keys {
			order[i] = draw.IntN(keys)
		}
	}
	draw.Shuffle(asks, func(i, j int) { order[i], order[j] = order[j], order[i] })
	crowds := make([]*crowd, connections)
	for i := range crowds {
		crowds[i] = newCrowd(s)
	}
	for i, key := range order {
		crowds[i%connections].ask(messages.Query{UserEmail: person(parts[key%len(parts)], key)})
	}
	all := everybody(t, crowds...)
	sums := s.askedOnce()
	calls := callsOf(s.calls())
	if sums.Accounts != keys || len(calls) != keys {
		t.Errorf("the gateway was asked for %d accounts, want %d", sums.Accounts, keys)
	}
	if len(all) != asks || sums.Faults["system-error"] == 0 {
		t.Errorf("%d asks, faults %v: not the test that was meant", len(all), sums.Faults)
	}
	for _, a := range all {
		checkMixed(t, a, calls[a.q.UserEmail])
	}
	t.Logf("%d asks, %d keys: %d calls, %v; p50 %v, p99 %v; %v", asks, keys, sums.Calls, sums.Faults, percentile(all, 50), percentile(all, 99), told(all))
}

// checkMixed compares one answer with the calls that the gateway saw for its account.
func checkMixed(t *testing.T, a *asked, calls []simulator.Call) {
	t.Helper()
	r := a.answers[0]
	last := calls[len(calls)-1]
	for _, c := range calls[:len(calls)-1] {
		if c.Conclusive {
			t.Errorf("%s: asked on after a conclusive answer: %+v", a.q.UserEmail, calls)
		}
	}
	switch part := partOf(a.q.UserEmail); {
	case r.Outcome == messages.Unknown && len(calls) == 5 && !last.Conclusive:
	case r.Outcome != outcomes[part] || !last.Conclusive || r.Attempts != len(calls):
		t.Errorf("%s: told %s %s after %d attempts, the gateway saw %+v", a.q.UserEmail, r.Outcome, r.Code, r.Attempts, calls)
	}
}

func partOf(email string) string {
	for _, p := range parts {
		if len(email) > len(p) && email[:len(p)] == p && email[len(p)] == '+' {
			return p
		}
	}
	return ""
}

// callsOf groups calls by account, each group in order of time.
func callsOf(list []simulator.Call) map[string][]simulator.Call {
	by := map[string][]simulator.Call{}
	for _, c := range list {
		by[c.Key] = append(by[c.Key], c)
	}
	for _, calls := range by {
		slices.SortFunc(calls, func(a, b simulator.Call) int { return int(a.Started - b.Started) })
	}
	return by
}
