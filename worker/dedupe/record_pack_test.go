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

// A record outlives the message that it was read from, whose bytes may be of a buffer that is used again.
func TestRecordKeepsNothingOfItsMessage(t *testing.T) {
	r := dedupe.Record{Phase: dedupe.Done, Owner: "o", Run: "r", Ask: "a", Journal: []byte("journal"), Question: []byte("question"), Answer: []byte("answer"),
		Prev: &dedupe.Kept{Run: "p", Answer: []byte("before")}}
	body := r.Encode()
	got, err := dedupe.DecodeRecord(body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 0xc1
	}
	if d := cmp.Diff(r, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("changed with its message: %s", d)
	}
}

func TestRecordFaultsNameTheField(t *testing.T) {
	for in, want := range map[string]string{
		"\x81\xa5owner\xa1\xff":                        `decode record: "owner" is not valid UTF-8`,
		"\x81\xa8lease_ms\xa1x":                        `decode record: "lease_ms" is of another kind`,
		"\x82\xa5phase\xa4done\xa4prev\x81\xa3run\x05": `decode record: "prev" "run" is of another kind`,
	} {
		if _, err := dedupe.DecodeRecord([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
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
