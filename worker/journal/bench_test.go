// What a batch costs: written, read, appended, and read again from the beginning.

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"protocolq/worker/journal"
)

// round is what one ask costs the log: the ask, its begin, its answer, and that it was told.
func round(n int) []journal.Entry {
	key := journal.Key{byte(n), byte(n >> 8), byte(n >> 16), 7}
	ask := &journal.Ask{Token: fmt.Sprintf("TOKEN%017d", n), Key: key, Question: journal.Hash{1, byte(n)}, Query: make([]byte, 150), Reply: "_INBOX_rq.0123456789abcdef.12345678",
		Door: journal.Await, Partner: "2088101122136241", ID: journal.Hash{2}, Persons: [2]journal.Hash{{3}, {4}}, Left: 2 * time.Second, MaxAge: -1}
	begin := &journal.Begin{Key: key, Run: fmt.Sprintf("RUN%019d", n), Attempt: 1, Partner: "2088101122136241", Asked: journal.Ref{Index: 1}}
	answer := &journal.Answer{Key: key, Question: ask.Question, Run: begin.Run, Verdict: journal.Conclusive, Result: make([]byte, 300), Attempts: []journal.Outcome{{Detail: make([]byte, 60)}},
		Keep: time.Minute, Partner: "2088101122136241", Begun: journal.Ref{Position: 1 << 20, Index: 1}, Persons: ask.Persons}
	return []journal.Entry{ask, begin, answer, &journal.Told{Entries: []journal.Ref{{Position: 1 << 20, Index: 1}, {Position: 1 << 20, Index: 2}}}}
}

// rounds is a batch of n rounds.
func rounds(n int) []journal.Entry {
	var all []journal.Entry
	for i := range n {
		all = append(all, round(i)...)
	}
	return all
}

func BenchmarkEncode(b *testing.B) {
	entries := rounds(64)
	data, err := journal.Encode(1, 1<<20, entries...)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportMetric(float64(len(data))/float64(len(entries)), "B/entry")
	for b.Loop() {
		if _, err := journal.Encode(1, 1<<20, entries...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(entries)), "ns/entry")
}

func BenchmarkDecode(b *testing.B) {
	entries := rounds(64)
	data, err := journal.Encode(1, 1<<20, entries...)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := journal.Decode(message(data)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(entries)), "ns/entry")
}

// BenchmarkAppend is one entry after the other, and many at once, on one server.
func BenchmarkAppend(b *testing.B) {
	for _, at := range []int{1, 64, 512} {
		b.Run(fmt.Sprint("callers ", at), func(b *testing.B) {
			o := newServers(b, 1)
			names := o.names("bench")
			o.make(b, names)
			var batches int
			w, err := journal.NewWriter(journal.WriterOptions{Log: journal.NewJetStream(names), Member: "bench", Stored: func(journal.Written) { batches++ }})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			tokens := make(chan struct{}, at)
			for range at {
				tokens <- struct{}{}
			}
			var wg sync.WaitGroup
			ask := round(1)[0]
			for b.Loop() {
				<-tokens
				wg.Add(1)
				if err := w.Append(ask, func(_ journal.Ref, err error) {
					if err != nil {
						b.Error(err)
					}
					tokens <- struct{}{}
					wg.Done()
				}); err != nil {
					b.Fatal(err)
				}
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/float64(batches), "entries/batch")
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkAppendBare is the same entry without a writer, one after the other.
func BenchmarkAppendBare(b *testing.B) {
	o := newServers(b, 1)
	names := o.names("bench")
	o.make(b, names)
	log := journal.NewJetStream(names)
	data, err := journal.Encode(1, 1, round(1)[0])
	if err != nil {
		b.Fatal(err)
	}
	last := uint64(0)
	for b.Loop() {
		if last, err = log.Append(b.Context(), journal.Append{Member: "bench", Expect: last, Data: data}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplay reads a log of 64 MiB from its beginning, on one server.
func BenchmarkReplay(b *testing.B) {
	o := newServers(b, 1)
	names := o.names("bench")
	o.make(b, names)
	log := journal.NewJetStream(names)
	data, err := journal.Encode(1, 1<<20, rounds(16)...)
	if err != nil {
		b.Fatal(err)
	}
	last, n := uint64(0), (64<<20)/len(data)
	for range n {
		if last, err = log.Append(b.Context(), journal.Append{Member: "bench", Expect: last, Data: data}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(n * len(data)))
	enough := errors.New("read whole")
	for b.Loop() {
		r, err := journal.NewReader(journal.ReaderOptions{Source: log, Apply: func(batch *journal.Batch) error {
			if batch.Position == last {
				return enough
			}
			return nil
		}})
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Run(b.Context()); !errors.Is(err, enough) {
			b.Fatal(err)
		}
	}
}
