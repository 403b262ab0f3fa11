// How a member writes, and how everybody reads.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// A member appends an ask, decides to begin a call for it in the same batch, and seals itself. A reader follows.
func Example() {
	stream := journaltest.New(1).Connect(journaltest.Faults{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	r, err := journal.NewReader(journal.ReaderOptions{Source: stream, Apply: func(b *journal.Batch) error {
		for i, e := range b.Entries {
			switch e := e.(type) {
			case *journal.Ask:
				fmt.Printf("%v %s: ask %s: %s\n", b.Ref(i), b.Member, e.Token, e.Query)
			case *journal.Begin:
				fmt.Printf("%v %s: begin of run %s, attempt %d, for the ask at %v\n", b.Ref(i), b.Member, e.Run, e.Attempt, e.Asked)
			case *journal.Seal:
				fmt.Printf("%v %s: sealed by %s: %s\n", b.Ref(i), b.Member, e.By, e.Why)
				cancel()
			}
		}
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}

	w, err := journal.NewWriter(journal.WriterOptions{Log: stream, Member: "m7", Decide: func(d *journal.Draft) uint64 {
		for i, e := range d.Entries() {
			if ask, ok := e.(*journal.Ask); ok {
				begin := &journal.Begin{Key: ask.Key, Run: "RUN1", Attempt: 1, Asked: journal.Ref{Index: uint16(i + 1)}}
				if _, err := d.Add(begin); err != nil {
					log.Fatal(err)
				}
			}
		}
		return r.Position()
	}})
	if err != nil {
		log.Fatal(err)
	}
	ask := &journal.Ask{Token: "TOKEN1", Query: []byte("user@example.com?"), Door: journal.Await, MaxAge: -1}
	if err := w.Append(ask, nil); err != nil {
		log.Fatal(err)
	}
	if err := w.Seal("drained"); err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
	// Output:
	// 1/1 m7: ask TOKEN1: user@example.com?
	// 1/2 m7: begin of run RUN1, attempt 1, for the ask at 1/1
	// 1/3 m7: sealed by m7: drained
}
