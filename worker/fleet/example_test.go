// A small log, folded.

package fleet_test

import (
	"fmt"
	"log"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// The log of one key: a joins and begins a call, b joins and seals a, who has fallen silent. From
// the fold of it b knows that it owns the key now and when it may call; after its own answer, what
// it owes.
func Example() {
	key := journal.Key{7}
	state := fleet.New(fleet.Options{Lease: 12 * time.Second, Grace: 2 * time.Second, Keep: 10 * time.Minute, Attempts: 5, Deaths: 3}, 1)
	batch := func(m journal.Member, number, read uint64, entries ...journal.Entry) {
		b := &journal.Batch{Member: m, Position: state.Applied() + 1, Head: journal.Head{Number: number, Read: read}, Entries: entries}
		at := time.Duration(b.Position) * time.Second
		if _, err := state.Apply(b, fleet.Heard{At: at}); err != nil {
			log.Fatal(err)
		}
	}
	batch("a", 1, 0)
	batch("a", 2, 1, &journal.Ask{Token: "t1", Key: key, Door: journal.Await, MaxAge: -1},
		&journal.Begin{Key: key, Run: "r1", Attempt: 1, Asked: journal.Ref{Position: 2, Index: 1}})
	batch("b", 1, 2)                                        // joins
	batch("a", 3, 3)                                        // has read that
	batch("a", 4, 4, &journal.Seal{By: "b", Why: "silent"}) // b seals a
	fmt.Println(state.Owner(key), "owns the key,", len(state.Waiting(key)), "waits,", state.Open(key).ID, "is open")

	b := &fleet.Own{ID: "b"}
	turn := state.Turn(b, key, 6*time.Second, nil)
	fmt.Println("a's call has surely ended at", turn.Until)
	turn = state.Turn(b, key, turn.Until, nil)
	fmt.Println("b then begins attempt", turn.Attempt, "which follows", turn.Run.ID)

	batch("b", 2, 5, &journal.Begin{Key: key, Run: "r2", Attempt: turn.Attempt, Deaths: 1, Follows: "r1"})
	batch("b", 3, 6, &journal.Answer{Key: key, Run: "r2", Verdict: journal.Conclusive, Keep: time.Minute, Begun: journal.Ref{Position: 6, Index: 1}})
	for _, d := range state.Owed("b") {
		fmt.Println("b owes for entry", d.Entry, "reply:", d.Ask != nil, "event:", d.Answer != nil)
	}
	// Output:
	// b owns the key, 1 waits, r1 is open
	// a's call has surely ended at 18s
	// b then begins attempt 2 which follows r1
	// b owes for entry 2/1 reply: true event: false
	// b owes for entry 7/1 reply: false event: true
}
