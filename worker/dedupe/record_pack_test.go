// Records as bytes: what is written here by hand is what the library reads, and the other way round.

package dedupe_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vmihailenco/msgpack/v5"

	"protocolq/worker/dedupe"
)

func TestRecordIsReadByAnotherHand(t *testing.T) {
	for _, r := range []dedupe.Record{
		{Phase: dedupe.Running, Owner: "o", Run: "r", Attempt: 1, BegunMs: 1795426971982, LeaseMs: 12000, Question: []byte("question")},
		{Phase: dedupe.Done, Owner: strings.Repeat("o", 31), Run: strings.Repeat("r", 32), Ask: strings.Repeat("a", 40), Attempt: 127, BegunMs: -1, Journal: make([]byte, 255), Deaths: 128,
			LeaseMs: 1, Question: make([]byte, 32), Answer: make([]byte, 256), KeepMs: math.MaxInt64, Failed: true, Once: true,
			Prev: &dedupe.Kept{Run: strings.Repeat("p", 300), Answer: []byte{0}, AtMs: 5, KeepMs: 6}},
		{Phase: dedupe.Suspect, Prev: &dedupe.Kept{}},
		{Phase: dedupe.Released, Journal: make([]byte, 1<<16-1), Answer: make([]byte, 1<<16)},
	} {
		body := r.Encode()
		var got dedupe.Record
		if err := msgpack.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v", r.Phase, err)
		}
		if d := cmp.Diff(r, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s is read as something else: %s", r.Phase, d)
		}
		theirs, err := msgpack.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(theirs) <= 64<<10 {
			if got, err = dedupe.DecodeRecord(theirs); err != nil || !cmp.Equal(r, got, cmpopts.EquateEmpty()) {
				t.Errorf("%s written by the library: %v %s", r.Phase, err, cmp.Diff(r, got, cmpopts.EquateEmpty()))
			}
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	r := dedupe.Record{Phase: dedupe.Done, Owner: "3Vm6Z1W5ylmWn8ZhGVE4vM", Run: "3Vm6Z1W5ylmWn8ZhGVE4vN", Attempt: 1, BegunMs: 1795426971982,
		Journal: make([]byte, 120), LeaseMs: 12000, Question: make([]byte, 32), Answer: make([]byte, 250), KeepMs: 60000}
	body := r.Encode()
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Encode()
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := dedupe.DecodeRecord(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
