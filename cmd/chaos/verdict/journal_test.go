//go:build unix

// The second hand at the journal: it reads what the workers' own writes, and a golden file that
// stays as it is.

package verdict

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"protocolq/worker/journal"
)

var update = flag.Bool("update", false, "write the golden files anew")

func bytesOf(from byte) (h [16]byte) {
	for i := range h {
		h[i] = from + byte(i)
	}
	return h
}

func hexOf(from byte) string { h := bytesOf(from); return hex.EncodeToString(h[:]) }

// sampleEntries are one of each kind, as the workers write them; decided is what they say.
func sampleEntries() []journal.Entry {
	ask := &journal.Ask{
		Token: "tok-1", Key: bytesOf(1), Question: bytesOf(2), Query: []byte{0x81, 0xa1, 'v', 1}, Reply: "_INBOX.a.1", Encoding: 2, Door: journal.Await,
		Partner: Partner, Asker: "till-7", ID: bytesOf(3), Persons: [2]journal.Hash{bytesOf(4)}, Given: true, Left: 1499*time.Millisecond + 1,
		MaxAge: 0, Trace: "00-aa-bb-01",
	}
	begin := &journal.Begin{Key: bytesOf(1), Run: "run-1", Attempt: 2, Deaths: 1, Before: journal.Outcome{Code: "SYSTEM_ERROR", Detail: []byte("d")},
		Partner: Partner, Asked: journal.Ref{Index: 1}, Follows: "run-0"}
	answer := &journal.Answer{
		Key: bytesOf(1), Question: bytesOf(2), Run: "run-1", Verdict: journal.Crashed, Result: []byte(strings.Repeat("r", 300)), Code: "CRASHED",
		Attempts: []journal.Outcome{{Code: "A"}, {Code: "B", Detail: []byte("b")}}, Keep: 30 * time.Second, Partner: Partner,
		Begun: journal.Ref{Position: 70_000, Index: 3}, Final: []journal.Final{{Token: "tok-1", ID: bytesOf(3)}, {Token: "tok-2"}}, Persons: [2]journal.Hash{{}, bytesOf(5)},
	}
	return []journal.Entry{
		ask, begin, answer,
		&journal.Ask{Token: strings.Repeat("t", 40), Door: journal.Submit, MaxAge: -1},
		&journal.Ask{Token: "m2", Door: journal.Submit, MaxAge: -1, Near: journal.Near{Earlier: bytesOf(6), Later: bytesOf(7), Into: 599 * time.Second}},
		&journal.Settled{Asks: []journal.Ref{{Position: 90_000, Index: 16_000}, {Position: 5, Index: 1}, {Index: 4}, {Index: 1}, {Position: 1 << 40, Index: 2}}, Why: "DEADLINE"},
		&journal.Settled{Asks: []journal.Ref{{Position: 7, Index: 1}}, Run: "run-9", Answer: journal.Ref{Position: 6, Index: 200}},
		&journal.Told{Entries: []journal.Ref{{Position: 90_000, Index: 2}, {Index: 1}}, Tokens: []string{"x", "y"}},
		&journal.Forget{Person: bytesOf(4)},
		&journal.Carried{First: journal.Ref{Position: 12, Index: 4}, Writer: "m-0", Age: 61 * time.Second, Entry: begin},
		&journal.Carried{First: journal.Ref{Position: 13, Index: 1}, Writer: "m-0", Entry: &journal.Told{Tokens: []string{"z"}}},
		&journal.Skipped{Of: 200, Body: []byte("newer")},
		&journal.Seal{By: "m-2", Why: "silent for 3s"},
	}
}

// decided is what they say at position 88,000.
func decided() []entry {
	const here = 88_000
	begin := entry{Kind: aBegin, Key: hexOf(1), Run: "run-1", Attempt: 2, Deaths: 1, Before: "SYSTEM_ERROR", Partner: Partner, Asked: place{here, 1}, Follows: "run-0"}
	carried := begin
	carried.Carried, carried.First, carried.Writer, carried.Age, carried.Asked = true, place{12, 4}, "m-0", 61_000, place{here, 1}
	all := []entry{
		{Kind: anAsk, Token: "tok-1", Key: hexOf(1), Question: hexOf(2), Query: []byte{0x81, 0xa1, 'v', 1}, Reply: "_INBOX.a.1", Encoding: 2, Door: byAwait,
			Partner: Partner, Asker: "till-7", ID: hexOf(3), Persons: [2]string{hexOf(4), ""}, Given: true, Left: 1500, Trace: "00-aa-bb-01"},
		begin,
		{Kind: anAnswer, Key: hexOf(1), Question: hexOf(2), Run: "run-1", Verdict: crashed, Result: []byte(strings.Repeat("r", 300)), Code: "CRASHED",
			Attempts: []string{"A", "B"}, Keep: 30_000, Partner: Partner, Begun: place{70_000, 3}, Final: []string{"tok-1", "tok-2"}, Persons: [2]string{"", hexOf(5)}},
		{Kind: anAsk, Token: strings.Repeat("t", 40), Door: bySubmit, MaxAge: -1},
		{Kind: anAsk, Token: "m2", Door: bySubmit, MaxAge: -1, Near: [2]string{"m" + hexOf(6), "m" + hexOf(7)}, Into: 599_000},
		{Kind: aSettled, Entries: []place{{90_000, 16_000}, {5, 1}, {here, 4}, {here, 1}, {1 << 40, 2}}, Why: "DEADLINE"},
		{Kind: aSettled, Entries: []place{{7, 1}}, Run: "run-9", Answer: place{6, 200}},
		{Kind: aTold, Entries: []place{{90_000, 2}, {here, 1}}, Tokens: []string{"x", "y"}},
		{Kind: aForget, Person: hexOf(4)},
		carried,
		{Kind: aTold, Carried: true, First: place{13, 1}, Writer: "m-0", Tokens: []string{"z"}},
		{Kind: 200},
		{Kind: aSeal, By: "m-2", Why: "silent for 3s"},
	}
	for i := range all {
		e := &all[i]
		e.At, e.Stored, e.Member, e.Number, e.Read = place{here, i + 1}, 5, "m-1", 41, 87_990
	}
	return all
}

func TestTheJournalIsRead(t *testing.T) {
	data, err := journal.Encode(41, 87_990, sampleEntries()...)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "batch.hex")
	if *update {
		if err := os.WriteFile(golden, []byte(lines(hex.EncodeToString(data))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, bytes := range map[string][]byte{"written now": data, "golden": kept} {
		b, err := OpenBatch(Stored{Position: 88_000, At: 5, Member: "m-1", Data: bytes})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(decided(), b.Entries, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if b.Number != 41 || b.Read != 87_990 {
			t.Errorf("%s: number %d, read %d", name, b.Number, b.Read)
		}
	}
}

// lines cuts a text into lines of 100.
func lines(text string) string {
	var b strings.Builder
	for ; len(text) > 100; text = text[100:] {
		fmt.Fprintln(&b, text[:100])
	}
	fmt.Fprintln(&b, text)
	return b.String()
}

// Every changed byte is seen, and nothing that is cut off is taken for a batch.
func TestWhatIsNotABatchIsRefused(t *testing.T) {
	data, err := journal.Encode(1, 0, sampleEntries()[:3]...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		bad := append([]byte{}, data...)
		bad[i] ^= 0x10
		if _, err := OpenBatch(Stored{Position: 1, Data: bad}); err == nil {
			t.Fatalf("a batch whose byte %d is changed is read", i)
		}
		if _, err := OpenBatch(Stored{Position: 1, Data: data[:i]}); err == nil {
			t.Fatalf("the first %d bytes of a batch are read", i)
		}
	}
	if b, err := OpenBatch(Stored{Position: 1, Data: data}); err != nil || len(b.Entries) != 3 {
		t.Fatalf("%d entries, %v", len(b.Entries), err)
	}
}
