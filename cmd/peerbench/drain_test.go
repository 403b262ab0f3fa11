// What is owed after the last answer, and when the clock of a round stops.
package main

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestOwed(t *testing.T) {
	acking, silent := &jetstream.ConsumerInfo{NumPending: 3, NumAckPending: 2}, &jetstream.ConsumerInfo{NumPending: 9}
	silent.Config.AckPolicy = jetstream.AckNonePolicy
	busy := &jetstream.ConsumerInfo{NumPending: 1, NumAckPending: -1}
	for name, c := range map[string]struct {
		consumers []*jetstream.ConsumerInfo
		want      uint64
	}{
		"a memory is no debt, nor a reply that nobody pulls": {nil, 0},
		"what a reader has to acknowledge is":                {[]*jetstream.ConsumerInfo{acking}, 5},
		"of several readers the one furthest behind counts":  {[]*jetstream.ConsumerInfo{busy, acking, busy}, 5},
		"a reader that acknowledges nothing owes nothing":    {[]*jetstream.ConsumerInfo{silent}, 0},
		"nor a reader of other subjects":                     {[]*jetstream.ConsumerInfo{{}}, 0},
	} {
		all := streams{{name: "A"}, {name: "B", last: 7}}
		for _, info := range c.consumers {
			all.of("B").read(info)
		}
		if got := all.owed(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := (streams{{name: "A", owed: 2}, {name: "B", last: 9}, {name: "C", owed: 1}}).debts(); got != "A 2, C 1" {
		t.Errorf("debts %q", got)
	}
}

// Each look is a time in milliseconds, what is owed, and the last sequence of all streams.
func TestQuiet(t *testing.T) {
	type seen struct {
		at         int
		owed, last uint64
	}
	for name, c := range map[string]struct {
		looks []seen
		since int // when the last quiet began; -1: it never did
		over  bool
	}{
		"nobody stores anything":                        {[]seen{{0, 0, 0}, {100, 0, 0}, {300, 0, 0}}, 0, true},
		"not yet":                                       {[]seen{{0, 0, 0}, {299, 0, 0}}, 0, false},
		"one look is not enough":                        {[]seen{{1000, 0, 5}}, 1000, false},
		"a log that is drained":                         {[]seen{{0, 900, 900}, {500, 100, 900}, {800, 0, 900}, {1100, 0, 900}}, 800, true},
		"a line comes after the log was seen empty":     {[]seen{{0, 0, 9}, {100, 1, 10}, {200, 0, 10}, {450, 0, 10}, {500, 0, 10}}, 200, true},
		"and was taken before the next look":            {[]seen{{0, 0, 9}, {250, 0, 10}, {310, 0, 10}, {550, 0, 10}}, 250, true},
		"what is never drained":                         {[]seen{{0, 1, 1}, {60000, 1, 1}}, -1, false},
		"a debt comes back when it was nearly over":     {[]seen{{0, 0, 3}, {290, 2, 5}, {310, 2, 5}}, -1, false},
		"a debt comes back that was none for a look":    {[]seen{{0, 0, 9}, {100, 1, 9}, {400, 0, 9}, {699, 0, 9}}, 400, false},
		"something is stored all the time, none owed":   {[]seen{{0, 0, 1}, {200, 0, 2}, {400, 0, 3}, {600, 0, 4}}, 600, false},
		"a stream was deleted: the sum of them is less": {[]seen{{0, 0, 9}, {200, 0, 4}, {500, 0, 4}}, 200, true},
	} {
		var q quiet
		t0 := time.Unix(0, 0)
		since, over := -1, false
		for _, s := range c.looks {
			var began bool
			if began, over = q.look(t0.Add(time.Duration(s.at)*time.Millisecond), streams{{owed: s.owed, last: s.last}}); began {
				since = s.at
			} else if s.owed > 0 {
				since = -1
			}
		}
		if since != c.since || over != c.over {
			t.Errorf("%s: quiet since %d, over %v; want %d, %v", name, since, over, c.since, c.over)
		}
	}
}

// The clock of a round runs until nothing is owed, and so do the accounts.
func TestAccount(t *testing.T) {
	t0 := time.Unix(100, 0)
	before := accounts{at: t0, workers: 1, beside: 1, nats: 1, gw: 1, itself: 1}
	after := accounts{at: t0.Add(4 * time.Second), workers: 3, beside: 4, nats: 5, gw: 6, itself: 7}
	r := result{Answered: 1000, Wall: 2}
	r.account(before, after)
	want := result{Answered: 1000, Wall: 2, Drained: 4, DrainedRate: 250, WorkerCPU: 2, WorkerUs: 2000, BesideCPU: 3, NatsCPU: 4, GatewayCPU: 5, BenchCPU: 6}
	if r != want {
		t.Errorf("%+v\nwant %+v", r, want)
	}
	none := result{Wall: 5}
	none.account(before, after)
	if none.Drained != 5 || none.DrainedRate != 0 || none.WorkerUs != 0 {
		t.Errorf("without an answer: %+v", none)
	}
}
