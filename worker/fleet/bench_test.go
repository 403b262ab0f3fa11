// What folding costs: every member applies all of the fleet's log.

package fleet_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

// One answered question takes an ask, a begin, an answer and what is told, in batches of 64.
func BenchmarkApply(b *testing.B) {
	const many = 64
	s := fleet.New(settings, 1)
	n, at := uint64(0), uint64(0)
	apply := func(entries []journal.Entry) {
		at++
		batch := &journal.Batch{Head: journal.Head{Number: at, Read: at - 1}, Member: "a", Position: at, Stored: time.Unix(int64(at/100), 0), Entries: entries}
		if _, err := s.Apply(batch, fleet.Heard{At: time.Duration(at) * 10 * time.Millisecond}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		var asked, answered, told []journal.Entry
		done := &journal.Told{}
		for i := range many {
			var k journal.Key
			n++
			binary.LittleEndian.PutUint64(k[:], n*0x9e3779b97f4a7c15)
			binary.LittleEndian.PutUint64(k[8:], n)
			run := fmt.Sprint(n)
			asked = append(asked, &journal.Ask{Token: run, Key: k, Door: journal.Await, MaxAge: -1}, &journal.Begin{Key: k, Run: run, Attempt: 1})
			answered = append(answered, &journal.Answer{Key: k, Run: run, Verdict: journal.Conclusive, Keep: time.Minute, Begun: journal.Ref{Position: at + 1, Index: uint16(2*i + 2)}})
			done.Entries = append(done.Entries, journal.Ref{Position: at + 1, Index: uint16(2*i + 1)}, journal.Ref{Position: at + 2, Index: uint16(i + 1)})
		}
		told = append(told, done)
		apply(asked)
		apply(answered)
		apply(told)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/question")
}
