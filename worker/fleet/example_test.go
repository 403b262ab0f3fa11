// A small log, folded.

package fleet_test

import (
	"fmt"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

func Example() {
	key := journal.Key{7}
	log := []*journal.Batch{
		{Member: "a", Head: journal.Head{Number: 1}},
		{Member: "a", Head: journal.Head{Number: 2, Read: 1}, Entries: []journal.Entry{
			&journal.Ask{Token: "t1", Key: key, Door: journal.Await, MaxAge: -1},
			&journal.Begin{Key: key, Run: "r1", Attempt: 1},
		}},
		{Member: "b", Head: journal.Head{Number: 1, Read: 2}}, // joins
		{Member: "a", Head: journal.Head{Number: 3, Read: 3}}, // has read that
		{Member: "a", Head: journal.Head{Number: 4, Read: 4}, Entries: []journal.Entry{&journal.Seal{By: "b", Why: "silent"}}},
	}
	state := fleet.New(fleet.Options{Lease: 12 * time.Second, Grace: 2 * time.Second, Keep: 10 * time.Minute, Attempts: 5, Deaths: 3}, 1)
	me := &fleet.Own{ID: "b"}
	for i, b := range log {
		b.Position = uint64(i + 1)
		if _, err := state.Apply(b, fleet.Heard{At: time.Duration(i) * time.Second}); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("owner:", state.Owner(key), "waiting:", len(state.Waiting(key)), "open:", state.Open(key).ID)
	turn := state.Turn(me, key, 5*time.Second, nil)
	fmt.Println("a's call may go on until", turn.Until)
	turn = state.Turn(me, key, turn.Until, nil)
	fmt.Println("then attempt", turn.Attempt, "follows", turn.Run.ID)
	// Output:
	// owner: b waiting: 1 open: r1
	// a's call may go on until 17s
	// then attempt 2 follows r1
}
