//go:build unix

// The same id asked again: an asker that lost its answer, or its inbox, just asks again.

package main

import (
	"testing"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/messages"
)

func TestAskAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{Simulator: []string{"--latency", "1s"}})
	s.workers(2)
	for name, q := range map[string]messages.Query{
		"derived key":  {ID: "one and the same id", UserEmail: person("refund-only", "again")},
		"given key":    {ID: "an id with a key", Key: "order 17", AccountNo: "20880000000000009903"},
		"id in header": {ID: inHeader + "1", UserEmail: person("refund-only", "header")},
	} {
		t.Run(name, func(t *testing.T) { askAgain(t, s.in(t), q) })
	}
	if sums := s.askedOnce(); sums.Calls != 3 {
		t.Errorf("%d calls for 3 questions", sums.Calls)
	}
	// An id is only echoed. Another question with the same id has an answer of its own.
	if r := s.answer(messages.Query{ID: "one and the same id", UserEmail: person("not-signed", "again")}); r.Outcome != messages.NotSigned {
		t.Errorf("another question with the same id: %s %s", r.Outcome, r.Code)
	}
}

// askAgain asks q while the call is in flight and after the answer, each time from a new inbox.
// Another asker asks q alongside each time.
func askAgain(t *testing.T, s *stand, q messages.Query) {
	before := s.settled().Calls
	first, again, other := newCrowd(s), newCrowd(s), newCrowd(s)
	list := []*asked{first.ask(q)}
	crowds := []*crowd{first, again, other}
	clitest.Eventually(t, "the call in flight", func() bool { return s.stats().InFlight == 1 })
	list = append(list, again.ask(q), other.ask(q))
	if s.stats().InFlight != 1 {
		t.Fatal("the call was over before it was asked again: not the test that was meant")
	}
	everybody(t, crowds...)
	for range 3 { // enough to reach each worker, most likely
		c := newCrowd(s)
		crowds = append(crowds, c)
		list = append(list, c.ask(q), other.ask(q))
	}
	all := everybody(t, crowds...)
	if len(all) != len(list) {
		t.Errorf("%d of %d answered", len(all), len(list))
	}
	run := all[0].answers[0].Run
	for i, a := range all {
		r := a.answers[0]
		if r.Outcome != messages.Signed || *r.ChargeAgent || !*r.RefundCharge || r.Run != run || r.ID != q.ID || r.Key != q.Key {
			t.Errorf("ask %d: %+v", i, r)
		}
		if len(a.answers) != 1 {
			t.Errorf("ask %d was answered %d times", i, len(a.answers))
		}
	}
	if sums := s.settled(); sums.Calls != before+1 {
		t.Errorf("%d asks with one id made %d calls", len(list), sums.Calls-before)
	}
}

// answer asks q and waits for the answer.
func (s *stand) answer(q messages.Query) messages.Result {
	s.t.Helper()
	c := newCrowd(s)
	return c.answer(c.ask(q))
}
