// How a member writes, and how all members read.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// A member appends an ask and seals itself. A reader follows the log and prints what it says.
func Example() {
	stream := journaltest.New(1).Connect(journaltest.Faults{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	w, err := journal.NewWriter(journal.WriterOptions{Log: stream, Member: "m7"})
	if err != nil {
		log.Fatal(err)
	}
	ask := &journal.Ask{Token: "T1", Query: []byte("user@example.com?"), Door: journal.Await, MaxAge: -1}
	stored := func(at journal.Ref, err error) { fmt.Println("stored at", at, err) }
	err = errors.Join(w.Append(ask, stored), w.Seal("drained"), w.Run(ctx))
	if err != nil {
		log.Fatal(err)
	}

	r, err := journal.NewReader(journal.ReaderOptions{Source: stream, Apply: func(b *journal.Batch) error {
		for i, e := range b.Entries {
			switch e := e.(type) {
			case *journal.Ask:
				fmt.Printf("%v %s asks %s\n", b.Ref(i), b.Member, e.Query)
			case *journal.Seal:
				fmt.Printf("%v %s is sealed by %s: %s\n", b.Ref(i), b.Member, e.By, e.Why)
				cancel()
			}
		}
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Run(ctx))
	// Output:
	// stored at 1/1 <nil>
	// 1/1 m7 asks user@example.com?
	// 1/2 m7 is sealed by m7: drained
	// context canceled
}

// A decision is made when the batch is composed that it goes into: here the begin of a call, beside
// the ask that sets it off.
func ExampleNewWriter() {
	stream := journaltest.New(1).Connect(journaltest.Faults{})
	w, err := journal.NewWriter(journal.WriterOptions{
		Log: stream, Member: "m7",
		Decide: func(d *journal.Draft) (read uint64) {
			for i, e := range d.Entries() {
				ask, ok := e.(*journal.Ask)
				if !ok {
					continue
				}
				begin := &journal.Begin{Key: ask.Key, Run: "R1", Attempt: 1, Asked: journal.Ref{Index: uint16(i + 1)}}
				if _, err := d.Add(begin); err != nil {
					log.Fatal(err)
				}
			}
			return 0 // nothing of the log was read when this was decided
		},
		Stored: func(b journal.Written) {
			for i, e := range b.Entries {
				fmt.Printf("batch %d, entry %d: %T\n", b.Number, i+1, e)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ask := &journal.Ask{Token: "T1", Door: journal.Await, MaxAge: -1}
	if err := errors.Join(w.Append(ask, nil), w.Seal("drained"), w.Run(context.Background())); err != nil {
		log.Fatal(err)
	}
	// Output:
	// batch 1, entry 1: *journal.Ask
	// batch 1, entry 2: *journal.Begin
	// batch 1, entry 3: *journal.Seal
}
