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

// slowLog is a log whose batches have as many asks as their position says. A read takes 100 ms, and
// the first responses may be lost.
type slowLog struct {
	mu    sync.Mutex
	reads map[uint64]int
	lost  int   // of the next responses
	err   error // instead of every response
	// local is what the server next to the reader has of a batch; nil: what the leader has.
	local func(journal.Message) journal.Message
}

const readTakes = 100 * time.Millisecond

func (l *slowLog) Get(ctx context.Context, position uint64) (journal.Message, error) {
	l.mu.Lock()
	l.reads[position]++
	err, wait := l.err, readTakes
	if l.lost > 0 {
		l.lost--
		wait = time.Hour
	}
	l.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return journal.Message{}, ctx.Err()
	}
	if err != nil || position > 2000 {
		return journal.Message{}, err
	}
	m := batchOf(position, "t")
	if l.local != nil {
		m = l.local(m)
	}
	return m, nil
}

func (l *slowLog) AtLeader(_ context.Context, position uint64) (journal.Message, error) {
	if position > 2000 {
		return journal.Message{}, nil
	}
	return batchOf(position, "t"), nil
}

// batchOf is a batch of as many asks as its position says, with tokens that begin so.
func batchOf(position uint64, token string) journal.Message {
	var asks []journal.Entry
	for i := range position {
		asks = append(asks, &journal.Ask{Token: fmt.Sprint(token, i), Key: journal.Key{1}, Query: []byte("q"), Reply: "r",
			Door: journal.Await, Partner: "2088"})
	}
	data, err := journal.Encode(position, 0, asks...)
	if err != nil {
		panic(err)
	}
	return journal.Message{Position: position, Member: "M", Data: data, Stored: time.Now()}
}

// inBubble runs a test with a slow log and its texts.
func inBubble(t *testing.T, do func(t *testing.T, log *slowLog, texts *texts)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{reads: map[uint64]int{}}
		do(t, log, newTexts(log, 8<<20))
	})
}

// A thousand calls that begin at once with the asks of one batch read it once, and it stays in
// memory for the next ones.
func TestOneReadForABatch(t *testing.T) {
	inBubble(t, func(t *testing.T, log *slowLog, texts *texts) {
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
		if took := time.Since(begun); took != readTakes || log.reads[1000] != 1 {
			t.Errorf("%d reads in %v", log.reads[1000], took)
		}
		if _, err := texts.Entry(t.Context(), journal.Ref{Position: 1000, Index: 7}); err != nil || log.reads[1000] != 1 {
			t.Errorf("read again: %d reads, %v", log.reads[1000], err)
		}
	})
}

// What becomes of a read that many share: a caller without time leaves it to the others, a lost
// response is asked for again, and an error or a missing batch is everybody's.
func TestSharedReads(t *testing.T) {
	wrong := errors.New("wrong")
	for name, c := range map[string]struct {
		lost     int
		err      error
		position uint64
		patience time.Duration // of the first caller; the others have a minute
		first    error
		others   error
		reads    int
		took     time.Duration
	}{
		"the first has no time":  {0, nil, 5, readTakes / 2, context.DeadlineExceeded, nil, 1, readTakes},
		"two responses are lost": {2, nil, 5, responseTime / 2, context.DeadlineExceeded, nil, 3, 2*responseTime + readTakes},
		"the log fails":          {0, wrong, 5, time.Minute, wrong, wrong, 1, readTakes},
		"it is not there":        {0, nil, 3000, time.Minute, errNotThere, errNotThere, 1, readTakes},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, log *slowLog, texts *texts) {
				log.lost, log.err = c.lost, c.err
				begun := time.Now()
				var all sync.WaitGroup
				read := func(patience time.Duration, want error) {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						if _, err := texts.Entry(ctx, journal.Ref{Position: c.position, Index: 1}); !errors.Is(err, want) {
							t.Errorf("%v, want %v", err, want)
						}
					})
				}
				read(c.patience, c.first)
				synctest.Wait()
				for range 10 {
					read(time.Minute, c.others)
				}
				all.Wait()
				if took := time.Since(begun); log.reads[c.position] != c.reads || took != c.took {
					t.Errorf("%d reads in %v, want %d in %v", log.reads[c.position], took, c.reads, c.took)
				}
			})
		})
	}
}

// A batch that was being read while the log was replaced is not kept: its position may be that of
// another batch. Read afterwards, from a server that is behind, it gives way to the applied one.
func TestReadOfAReplacedLog(t *testing.T) {
	inBubble(t, func(t *testing.T, log *slowLog, texts *texts) {
		at := journal.Ref{Position: 5, Index: 1}
		go texts.Entry(t.Context(), at) //nolint:errcheck // it may have either log's
		synctest.Wait()
		texts.forget()
		time.Sleep(2 * readTakes)
		if _, ok := texts.get(at); ok {
			t.Error("an entry of the log before is kept")
		}
		if _, err := texts.Entry(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		b, err := journal.Decode(batchOf(5, "new"))
		if err != nil {
			t.Fatal(err)
		}
		texts.put(b)
		if e, err := texts.Entry(t.Context(), at); err != nil || e.(*journal.Ask).Token != "new0" {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

// What the server next to the reader lost on its disk, or has damaged, is read at the leader.
func TestReadAtTheLeader(t *testing.T) {
	for name, local := range map[string]func(journal.Message) journal.Message{
		"lost": func(journal.Message) journal.Message { return journal.Message{} },
		"damaged": func(m journal.Message) journal.Message {
			m.Data[len(m.Data)-1] ^= 1
			return m
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, log *slowLog, texts *texts) {
				log.local = local
				e, err := texts.Entry(t.Context(), journal.Ref{Position: 5, Index: 2})
				if a, ok := e.(*journal.Ask); err != nil || !ok || a.Token != "t1" {
					t.Errorf("%v, %v", e, err)
				}
			})
		})
	}
}
