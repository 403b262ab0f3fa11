// Entries that are wanted no more when their batch is composed.

package journal_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

// Entries that are no longer wanted when their batch is composed are left out; those on their way
// are not.
func TestUnwantedIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := journaltest.New(1)
		conn := log.Connect(journaltest.Faults{Delay: 100 * time.Millisecond})
		w, err := journal.NewWriter(journal.WriterOptions{Log: conn, Member: "m1"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		var unwanted atomic.Bool
		var got []error
		for i := range 3 {
			e := &journal.Forget{Person: journal.Hash{byte(i + 1)}}
			wanted := func() bool { return unwanted.Load() && i == 1 }
			if err := w.AppendUnless(e, wanted, func(_ journal.Ref, err error) { got = append(got, err) }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the first is on its way, the others wait
		}
		unwanted.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(got) != 3 || got[0] != nil || !errors.Is(got[1], journal.ErrUnwanted) || got[2] != nil {
			t.Errorf("ended with %v", got)
		}
		entries := 0
		for _, m := range log.Messages() {
			b, err := journal.Decode(m)
			if err != nil {
				t.Fatal(err)
			}
			entries += len(b.Entries)
		}
		if entries != 2 {
			t.Errorf("%d entries are stored, want 2", entries)
		}
		cancel()
		<-ended
	})
}
