// Texts of the log: how often one batch is read for the many entries in it.

package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/journal"
)

// slowLog is a log whose batches have as many asks as their position says. A read takes a second.
type slowLog struct {
	mu    sync.Mutex
	reads map[uint64]int
	err   error // of the next read
}

func (l *slowLog) Get(ctx context.Context, position uint64) (journal.Message, error) {
	l.mu.Lock()
	l.reads[position]++
	err := l.err
	l.err = nil
	l.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return journal.Message{}, ctx.Err()
	}
	if err != nil || position > 2000 {
		return journal.Message{}, err
	}
	var asks []journal.Entry
	for i := range position {
		asks = append(asks, &journal.Ask{Token: fmt.Sprint("t", i), Key: journal.Key{1}, Query: []byte("q"), Reply: "r", Door: journal.Await, Partner: "2088"})
	}
	data, err := journal.Encode(position, 0, asks...)
	return journal.Message{Position: position, Member: "M", Data: data, Stored: time.Now()}, err
}

// A thousand calls that begin at once with the asks of one batch read it once, and it stays in
// memory for the next ones.
func TestOneReadForABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{reads: map[uint64]int{}}
		texts := newTexts(log, 8<<20)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				e, err := texts.Entry(t.Context(), journal.Ref{Position: 1000, Index: uint16(i + 1)})
				if a, ok := e.(*journal.Ask); err != nil || !ok || a.Token != fmt.Sprint("t", i) {
					t.Errorf("entry %d is %v, %v", i, e, err)
				}
			})
		}
		begun := time.Now()
		all.Wait()
		if took := time.Since(begun); took != time.Second || log.reads[1000] != 1 {
			t.Errorf("%d reads in %v", log.reads[1000], took)
		}
		if _, err := texts.Entry(t.Context(), journal.Ref{Position: 1000, Index: 7}); err != nil || log.reads[1000] != 1 {
			t.Errorf("read again: %d reads, %v", log.reads[1000], err)
		}
	})
}

// What ends one caller's read does not end the others': the next reads for itself. That a batch is
// not there holds for all.
func TestReadsOfOthersThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{reads: map[uint64]int{}}
		texts := newTexts(log, 8<<20)
		hurried, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		var all sync.WaitGroup
		read := func(ctx context.Context, position uint64) (err error) {
			_, err = texts.Entry(ctx, journal.Ref{Position: position, Index: 1})
			return err
		}
		all.Go(func() {
			if err := read(hurried, 5); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		synctest.Wait()
		for range 10 {
			all.Go(func() {
				if err := read(t.Context(), 5); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if log.reads[5] != 2 {
			t.Errorf("%d reads beside one without time, want 2", log.reads[5])
		}
		for range 10 {
			all.Go(func() {
				if err := read(t.Context(), 3000); !isNotThere(err) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if log.reads[3000] != 1 {
			t.Errorf("%d reads of what is not there", log.reads[3000])
		}
	})
}

// A batch that was being read while the log was replaced is not kept: its position may be that of
// another batch.
func TestReadOfAReplacedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{reads: map[uint64]int{}}
		texts := newTexts(log, 8<<20)
		go texts.Entry(t.Context(), journal.Ref{Position: 5, Index: 1}) //nolint:errcheck // it may have either log's
		synctest.Wait()
		texts.forget()
		time.Sleep(2 * time.Second)
		if _, ok := texts.get(journal.Ref{Position: 5, Index: 1}); ok {
			t.Error("an entry of the log before is kept")
		}
	})
}
