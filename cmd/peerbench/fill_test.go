// What is filled in is what a fleet remembers, and owes nobody anything.
package main

import (
	"errors"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

func TestFilledAnswersAreRemembered(t *testing.T) {
	like := &journal.Answer{Key: journal.Key{9}, Run: "a-run-of-a-worker-0001", Verdict: journal.Conclusive, Result: make([]byte, 200), Partner: "2088000000000001",
		Keep: time.Minute, Final: []journal.Final{{Token: "t"}}}
	const n, limit = 5000, 64 << 10
	state := fleet.New(fleet.Options{Lease: time.Second, Keep: time.Minute, Lag: time.Second, Attempts: 5, Deaths: 3}, 1)
	var last *journal.Batch
	for data, err := range batches(like, n, limit) {
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > limit {
			t.Fatalf("a batch of %d bytes", len(data))
		}
		b, err := journal.Decode(journal.Message{Member: filler, Position: state.Applied() + 1, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := state.Apply(b, fleet.Heard{At: time.Second}); err != nil {
			t.Fatal(err)
		}
		last = b
	}
	remembered := 0
	for _, a := range state.Answers().All {
		if remembered++; a.Expires < keepFilled {
			t.Fatalf("an answer expires after %v", a.Expires)
		}
	}
	if remembered != n || last.Seal() == nil || len(state.Live()) != 0 {
		t.Errorf("%d of %d are remembered, %d members live", remembered, n, len(state.Live()))
	}
	if owed := state.Owed(filler); len(owed) > 0 {
		t.Errorf("%d are owed", len(owed))
	}
	if state.Applied() > n*400/limit+2 {
		t.Errorf("%d batches", state.Applied())
	}
}

func TestFillFails(t *testing.T) {
	for name, like := range map[string]*journal.Answer{
		"too long for a batch": {Verdict: journal.Conclusive, Result: make([]byte, 9<<10)},
		"no answer":            {},
	} {
		t.Run(name, func(t *testing.T) {
			times := 0
			var failed error
			for _, err := range batches(like, 10, 8<<10) {
				times++
				failed = errors.Join(failed, err)
			}
			if failed == nil || times != 1 {
				t.Errorf("%v after %d batches", failed, times)
			}
		})
	}
}
