// What a probe learns about a worker, from before it runs until it has drained; and figures that
// change only in trouble.

package worker_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

func TestCondition(t *testing.T) {
	f := newFleet(t, simulator.Options{}, func(s *setup) { s.bare = true })
	m := f.begin()
	within(t, "connected", func() bool { return m.Condition().Connected })
	if c := m.Condition(); c.Member || m.Stats().Members != 0 {
		t.Errorf("before there is a journal: %+v", c)
	}
	f.provision()
	within(t, "a member", func() bool { return m.Condition().Member })
	if diff := cmp.Diff(worker.Condition{Connected: true, Opened: true, Member: true, Degraded: map[string]string{}}, m.Condition()); diff != "" {
		t.Errorf("ready (-want +got):\n%s", diff)
	}
	if err := m.stop(); err != nil || !m.Condition().Draining {
		t.Errorf("ended with %v: %+v", err, m.Condition())
	}
}

// A journal that is away is away for all workers: that is shown, and makes none unready.
func TestConditionOfAJournalThatIsAway(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	m := f.start()
	anew := f.remove(messages.Journal)
	within(t, "the journal is shown as away", func() bool {
		return strings.HasPrefix(m.Condition().Degraded["journal"], "not there, or not readable, for 1")
	})
	anew()
	within(t, "well again", func() bool { c := m.Condition(); return c.Member && c.Degraded["journal"] == "" })
	f.ask(messages.Query{UserEmail: "signed@example.com"})
}

// A halt concerns the whole fleet: it is shown, and no worker is unready because of it.
func TestConditionOfAHaltedPartner(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	m := f.start()
	for i := range 6 {
		f.ask(messages.Query{UserEmail: email("illegal-sign", i)})
	}
	within(t, "halted", func() bool { return len(m.Stats().Halted) == 1 })
	if c := m.Condition(); !c.Member || c.Degraded["partner "+partner] == "" {
		t.Errorf("%+v", c)
	}
}

func TestRetriesAreCounted(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	type call struct {
		code string
		took bool
	}
	calls := make(chan call, 10)
	m := f.start(func(o *worker.Options) {
		o.Called = func(c worker.Call) { calls <- call{c.Code, c.Took > 0} }
	})
	f.ask(messages.Query{UserEmail: "system-error-2@example.com"})
	within(t, "the retries are counted", func() bool { return m.Stats().Retries["SYSTEM_ERROR"] == 2 })
	for _, want := range []call{{"SYSTEM_ERROR", true}, {"SYSTEM_ERROR", true}, {"", true}} {
		if got := <-calls; got != want {
			t.Errorf("called with %+v, want %+v", got, want)
		}
	}
}
